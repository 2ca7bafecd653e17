"""Training: choose a bias and a scheme, see what it means, start, watch, cancel."""

from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    TERMINAL,
    ExperimentConfig,
    Run,
    Variant,
    list_runs,
    load_run,
    parse_config,
    plan_variants,
    recent_pace,
    run_path,
    training_seconds,
)
from fairsal_core.faces import FaceDataset
from pages.components.begin import begin_and_watch
from pages.components.data import choose_source, get_faces
from pages.components.experiment_form import clone_settings, experiment_form, fill_form_from_preset
from pages.components.frame import inside_app
from pages.components.mitigation import mitigate_form
from pages.components.notes import label_note
from pages.components.places import where_jobs_run
from pages.components.preview import preview_section
from pages.components.run_notes import run_notes
from pages.components.sweeps import sweep_form
from pages.components.tour import tour_bar, tour_step
from pages.components.watch import watch_run
from pages.components.words import describe_duration, plain


def checked(content: dict[str, Any], faces: FaceDataset) -> tuple[ExperimentConfig, list[Variant]] | None:
    """Return the config and its variants if the faces allow it; else say why not."""
    try:
        config = parse_config(content)
        return config, plan_variants(config, faces)
    except FairsalError as error:
        st.error(plain(error))
        return None


def say_how_long(config: ExperimentConfig, variants: list[Variant]) -> None:
    """Say how many trainings this is, and how long they will take if an earlier run tells."""
    trainings = f"{len(variants)} variants × {len(config.seeds)} seed{'s' if len(config.seeds) > 1 else ''}"
    pace = recent_pace(config)
    if pace is None:
        st.caption(f"{trainings}. How long that takes is known after a first run with this classifier and device.")
        return
    seconds = training_seconds(config, variants, pace.images_per_second)
    st.caption(
        f"{trainings}: about {describe_duration(seconds)} of training at {pace.images_per_second:,.0f} images/s, the pace of "
        f"{pace.run}; less where an earlier run left something."
    )


def settings_of(run: Run) -> ExperimentConfig | None:
    """Return a run's settings; None for one that is no experiment of this version, as a copied folder may be."""
    with suppress(FairsalError):
        return parse_config(dict(run.config))
    return None


def show_runs() -> None:
    """List earlier runs, kept up to date while one of them is going; choosing one shows it."""
    st.subheader("Runs")
    where_jobs_run()
    going = any(run.status.state not in TERMINAL for run in list_runs())
    st.fragment(_runs_table, run_every=2.0 if going else None)()


def _runs_table() -> None:
    runs = list_runs()
    if not runs:
        st.info(
            "No runs yet. The settings above are ready to go: the drawn faces take under three minutes on two cores."
        )
        return
    table = pd.DataFrame(
        [
            {
                "run": run.id,
                "state": run.status.state,
                "progress": round(run.status.fraction, 2),
                "created": run.created,
                "target": config.target if config else None,
                "confounder": config.confounder if config else None,
                "schemes": ", ".join(choice.name for choice in config.schemes) if config else None,
                "seeds": len(config.seeds) if config else None,
            }
            for run, config in ((run, settings_of(run)) for run in runs)
        ]
    )
    event = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="runs",
        column_config={
            "progress": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
            "created": st.column_config.DatetimeColumn("created (UTC)", format="YYYY-MM-DD HH:mm"),
        },
    )
    rows = event["selection"]["rows"]
    if rows and st.query_params.get("run") != runs[rows[0]].id:
        st.query_params["run"] = runs[rows[0]].id
        st.rerun()


def show_more_of(run_id: str) -> None:
    """Offer to use a run's settings again, and show its notes."""
    with suppress(FairsalError):
        run = load_run(run_path(run_id))
        config = settings_of(run) if run.kind == "experiment" else None
        if config:
            st.button(
                "Use these settings",
                key=f"clone-{run_id}",
                icon=":material/content_copy:",
                on_click=clone_settings,
                args=(config,),
                help="Fills the form above with the settings of this run.",
            )
            if run.status.state == "finished":
                mitigate_form(run)
        run_notes(run)


inside_app()

st.title("Train under a known bias")
tour_bar()
st.markdown(
    "Each variant learns the target from the same biased faces: as they are (*original*), in equal cells (*balanced*), or with the "
    "confounder's regions hidden by a scheme. All are judged on the same test faces, clean and treated."
)

if "target" not in st.session_state:
    fill_form_from_preset("tour" if tour_step() else "demo")
    st.session_state["preset"] = "tour" if tour_step() else "demo"

source = choose_source("train_source")
try:
    faces = get_faces(source)
except FairsalError as error:
    st.error(plain(error))
    st.stop()

with st.container(border=True):
    plan = checked(experiment_form(source, faces), faces)
    if plan:
        say_how_long(*plan)
        preview_section(plan[0], faces)
    if st.button("Start", disabled=plan is None, icon=":material/play_arrow:", key="start") and plan:
        config = plan[0]
        begin_and_watch("experiment", config.model_dump(mode="json"), f"{config.target} × {config.confounder}")
sweep_form(source)

if "run" in st.query_params:
    with st.container(border=True, key="watched"):
        watch_run(st.query_params["run"])
        show_more_of(st.query_params["run"])

show_runs()
label_note(source)
