"""Filling the form of an experiment: from a preset, or with an earlier run's settings."""

from typing import Any

import streamlit as st

from fairsal_core.faces import CellCounts
from fairsal_core.regions import RegionTraining
from fairsal_core.schemes import PIXEL, SCHEMES
from fairsal_core.settings import PRESETS, ExperimentConfig, parse_config, preset_settings
from pages.components.shared.choice_form import fill_choices
from pages.components.shared.data import SOURCE_KEY, sources
from pages.components.shared.settings_form import differing
from pages.components.training.attention_form import EXPLAINERS_KEY
from pages.components.training.form_link import linked_config
from pages.components.training.kept import keep
from pages.components.training.run_settings import named_run, settings_of
from pages.components.training.scheme_form import scheme_name
from pages.components.training.subset import COUNT_FIELDS

TRAINING_KEY, REGIONS_KEY, BUDGET_KEY = "training", "regions", "regions_budget"
DRAWN_FIELDS = ("epochs", "classifier", "weights")  # of how a classifier is trained; the others draw themselves
BUDGET_FIELDS = ("images", "epochs", "width")  # of how a region classifier is trained: what it costs
QUICK_LOOK: dict[str, Any] = {"faces": 300, "epochs": 3, "explained_faces": 32, "images": 800, "passes": 2, "width": 16}


def begin_form() -> None:
    """Fill the form when it is first shown: with what the link says, or its run, or what is quick."""
    if linked := linked_config():
        preset, config = linked
        fill_form(config)
        st.session_state["preset"] = preset
        return
    if "target" in st.session_state:
        return
    if (run := named_run()) and run.kind == "experiment" and (config_of_run := settings_of(run)):
        fill_form(config_of_run)
        st.session_state["preset"] = next(iter(PRESETS))
        return
    fill_form_from_preset("demo")
    st.session_state["preset"] = "demo"


def quick_look() -> None:
    """Have the form ask for as little as shows whether a set-up works at all."""
    counts = CellCounts(**{field: st.session_state[f"count_{field}"] for field in COUNT_FIELDS})
    if counts.total > QUICK_LOOK["faces"]:
        fewer = counts.scaled(QUICK_LOOK["faces"] / counts.total)
        st.session_state.update({f"count_{field}": getattr(fewer, field) for field in COUNT_FIELDS})
    st.session_state["seed_count"] = 1
    st.session_state["mask_epochs"] = None
    for name in ("epochs", "explained_faces"):
        st.session_state[name] = min(st.session_state[name], QUICK_LOOK[name])
    usual = RegionTraining()
    images = min(st.session_state[BUDGET_KEY].get("images", usual.images), QUICK_LOOK["images"])
    st.session_state[BUDGET_KEY] = {"images": images, "epochs": QUICK_LOOK["passes"], "width": QUICK_LOOK["width"]}


def fill_form(config: ExperimentConfig) -> None:
    """Set the form's fields to an experiment's settings."""
    for field in COUNT_FIELDS:
        st.session_state[f"count_{field}"] = getattr(config.counts, field)
    schemes = list(dict.fromkeys(choice.scheme for choice in config.schemes))
    for scheme in schemes:
        chosen = [choice.quantile for choice in config.schemes if choice.scheme == scheme]
        st.session_state[f"quantiles_{scheme}"] = list(dict.fromkeys(chosen))
    noise = [choice.noise_domain for choice in config.schemes if SCHEMES[choice.scheme].domains]
    first_probability = config.schemes[0].treat_probability if config.schemes else 1.0
    first_domain = noise[0] if noise else PIXEL
    st.session_state.update(
        confounder=config.confounder,
        target=config.target,
        schemes=schemes,
        treat_probability=first_probability,
        noise_domain=first_domain,
        balanced=config.balanced,
        seed_count=len(config.seeds),
        mask_epochs=config.mask_epochs,
        device=config.device,
        run_measure=config.measure,
        explained_faces=config.attention.explained_faces,
        attention_roi=config.attention.roi.name,
        attention_magnitude=config.attention.magnitude,
        **{field: getattr(config.training, field) for field in DRAWN_FIELDS},
    )
    st.session_state[TRAINING_KEY] = differing(config.training)
    regions = differing(config.regions)
    st.session_state[BUDGET_KEY] = {name: value for name, value in regions.items() if name in BUDGET_FIELDS}
    st.session_state[REGIONS_KEY] = {name: value for name, value in regions.items() if name not in BUDGET_FIELDS}
    called = [scheme_name(one.scheme, one.quantile, first_probability, first_domain) for one in config.schemes]
    keep(config, called)
    fill_choices(EXPLAINERS_KEY, config.attention.explainers)


def fill_form_from_preset(name: str) -> None:
    """Set the form's fields to a preset's settings."""
    fill_form(parse_config(preset_settings(name)))


def clone_settings(config: ExperimentConfig) -> None:
    """Set the form to an earlier run's settings, and the page to its faces if they are still on offer."""
    fill_form(config)
    if config.data in sources():
        st.session_state[SOURCE_KEY] = config.data
