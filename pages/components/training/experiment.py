"""One experiment: its form, a preview, how long it takes stage by stage, and the button that starts it."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from fairsal_core.costs import recent_pace, training_seconds
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import Variant, plan_variants
from fairsal_core.faces import FaceDataset
from fairsal_core.settings import EXPERIMENT, ExperimentConfig, parse_config
from pages.components.shared.estimate import cost_section
from pages.components.shared.glossary import glossary
from pages.components.shared.words import describe_duration, plain
from pages.components.training.experiment_form import experiment_form
from pages.components.training.form_link import write_link
from pages.components.training.kept import kept_section, with_kept
from pages.components.training.preview import preview_section
from pages.components.training.start_run import start_and_follow


@dataclass(frozen=True)
class Plan:
    """An experiment that the faces allow: its settings and the variants that it trains."""

    config: ExperimentConfig
    variants: list[Variant]


def experiment_section(source: str, faces: FaceDataset) -> Plan | None:
    """Show the settings of an experiment and what they mean, have the link say them, and return what they come to."""
    with st.container(border=True):
        content = experiment_form(source, faces)
        kept_section()
        plan = _planned(with_kept(content), faces)
        if plan:
            preview_section(plan.config, faces)
    return plan


def plan_section(plan: Plan | None, faces: FaceDataset) -> None:
    """Say what an experiment trains and how long its stages take, and start it."""
    with st.container(border=True, key="plan"):
        if (
            st.button("Start", disabled=plan is None, icon=":material/play_arrow:", key="start", type="primary")
            and plan
        ):
            config = plan.config
            start_and_follow(EXPERIMENT, config.model_dump(mode="json"), f"{config.target} × {config.confounder}")
        glossary("subgroup, cell", "variant", "clean, treated", "quantile", "φ", "ROI", "seed", "interval")
        if plan is None:
            st.caption("These settings cannot start yet; the form says why.")
            return
        _say_how_long(plan)
        cost_section(EXPERIMENT, plan.config, lambda source: faces)


def _planned(content: dict[str, Any], faces: FaceDataset) -> Plan | None:
    """Return what the form asks for if it makes sense, which the link says then, and the faces allow it; else say why not."""
    try:
        config = parse_config(content)
        write_link(st.session_state["preset"], config)
        return Plan(config, plan_variants(config, faces.listed))
    except FairsalError as error:
        st.error(plain(error))
        return None


def _say_how_long(plan: Plan) -> None:
    """Say how many trainings this is, and how long they will take if an earlier run tells."""
    seeds = len(plan.config.seeds)
    trainings = f"{len(plan.variants)} variants × {seeds} seed{'s' if seeds > 1 else ''}"
    pace = recent_pace(plan.config)
    if pace is None:
        st.caption(f"{trainings}.")
        return
    seconds = training_seconds(plan.config, plan.variants, pace.images_per_second)
    st.caption(
        f"{trainings}: about {describe_duration(seconds)} of training at {pace.images_per_second:,.0f} images/s, the pace of "
        f"{plain(pace.run)}; less where an earlier run left something."
    )
