"""The settings of an experiment as a form, read as a config's content."""

from typing import Any

import streamlit as st

from fairsal_core.classifiers import CLASSIFIERS, ClassifierTraining
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import MEASURES, RegionTraining
from fairsal_core.settings import PRESETS
from pages.components.shared.settings_form import settings_form
from pages.components.shared.words import explained, plain
from pages.components.training.attention_form import choose_attention
from pages.components.training.form_state import (
    BUDGET_FIELDS,
    BUDGET_KEY,
    DRAWN_FIELDS,
    QUICK_LOOK,
    REGIONS_KEY,
    TRAINING_KEY,
    fill_form_from_preset,
    quick_look,
)
from pages.components.training.scheme_form import choose_schemes, choose_treated_share, noise_domains
from pages.components.training.subset import choose_counts


def experiment_form(source: str, faces: FaceDataset) -> dict[str, Any]:
    """Show the experiment's settings and return them as a config's content: what most change first, the rest folded."""
    target, confounder = _choose_attributes(faces)
    st.markdown("**Training faces** · how many of each subgroup")
    counts = choose_counts(faces, target, confounder)
    st.markdown("**Variants** · each is trained once per seed")
    schemes = choose_schemes()
    columns = st.columns(3, vertical_alignment="bottom")
    seeds = columns[0].number_input("Seeds", 1, 20, key="seed_count", help="More seeds, narrower intervals.")
    epochs = columns[1].number_input("Epochs", 1, 500, key="epochs")
    columns[2].checkbox("Equal cells too", key="balanced", help="Also train on equal cells: the variant *balanced*.")
    regions = _choose_budget()
    with st.expander("How variants are treated and trained"):
        more = _choose_training()
    with st.expander("Attention: what every variant looks at, measured after training"):
        attention = choose_attention()
    with st.expander("Region classifier and its maps"):
        measure, finer = _choose_regions()
    return {
        "data": source,
        "target": target,
        "confounder": confounder,
        "counts": counts.model_dump(),
        "balanced": st.session_state["balanced"],
        "schemes": schemes,
        "attention": attention,
        "seeds": list(range(int(seeds))),
        "measure": measure,
        "regions": {**finer, **regions},
        "device": more["device"],
        "mask_epochs": more["mask_epochs"],
        "training": {**more["training"], "epochs": epochs},
    }


def _choose_budget() -> dict[str, Any]:
    """Show what the region classifier costs, and the button that asks for little of everything."""
    st.markdown("**Region classifier** · where none is there that was trained so")
    form, quick = st.columns([3, 1], vertical_alignment="bottom")
    with form:
        others = set(RegionTraining.model_fields) - set(BUDGET_FIELDS)
        budget = settings_form(RegionTraining(), BUDGET_KEY, leave_out=others, across=3)
    quick.button(
        "Quick look",
        key="quick_look",
        icon=":material/bolt:",
        on_click=quick_look,
        width="stretch",
        help="As little of everything as shows whether a set-up works: {faces} training faces, {epochs} epochs, one seed, "
        "{explained_faces} explained faces, a half as wide region classifier of {images} faces × {passes}.".format(
            **QUICK_LOOK
        ),
    )
    return budget


def _choose_attributes(faces: FaceDataset) -> tuple[str, str]:
    attributes = faces.choices
    if len(attributes) < 2:
        st.error("No two attributes of these faces vary, so there is nothing to train or to be biased by.")
        st.stop()
    _choose_what_there_is(attributes, faces)
    st.selectbox(
        "Start from",
        list(PRESETS),
        format_func=lambda name: PRESETS[name].description,
        key="preset",
        on_change=lambda: fill_form_from_preset(st.session_state["preset"]),
    )
    target_column, confounder_column = st.columns(2)
    two_classes = " Of two classes: type race=Black vs White." if any("=" in name for name in attributes) else ""
    target = target_column.selectbox(
        "Target attribute",
        _offered("target", attributes),
        key="target",
        accept_new_options=bool(two_classes),
        help=f"What the classifier predicts.{two_classes}",
    )
    confounder = confounder_column.selectbox(
        "Confounder",
        _offered("confounder", attributes),
        key="confounder",
        accept_new_options=bool(two_classes),
        help=f"What it should not rely on.{two_classes}",
    )
    _say_who_is_left_out(faces, str(target), str(confounder))
    if target == confounder:
        st.error("Target and confounder are the same; choose two different attributes.")
        st.stop()
    return str(target), str(confounder)


def _choose_training() -> dict[str, Any]:
    """Show how variants are treated and trained, and return it."""
    columns = st.columns(2, vertical_alignment="bottom")
    with columns[0]:
        choose_treated_share()
    columns[1].selectbox(
        "Noise is added",
        noise_domains(),
        format_func=lambda name: {"pixel": "to pixels", "normalised": "after normalisation"}.get(name, name),
        key="noise_domain",
        help="The authors' code adds noise, and clips, after normalisation.",
    )
    columns = st.columns(2)
    classifier = columns[0].selectbox(
        "Audited classifier",
        list(CLASSIFIERS),
        format_func=CLASSIFIERS.title,
        key="classifier",
        help=explained(CLASSIFIERS),
    )
    weights = columns[1].selectbox(
        "Begin with weights",
        ["random", "imagenet"],
        key="weights",
        help="imagenet: for the ResNets, from a file of your own in the workspace's folder `imagenet`.",
    )
    mask_epochs = columns[0].number_input(
        "Epochs for masks",
        1,
        500,
        key="mask_epochs",
        value=None,
        placeholder="the same",
        help="The paper trains masks for 10 epochs and noise for 20, each beside an original trained as long.",
    )
    device = columns[1].selectbox(
        "Device",
        list(dict.fromkeys(["auto", "cpu", "cuda", st.session_state["device"]])),
        key="device",
        help="auto: a GPU where there is one.",
    )
    training = settings_form(ClassifierTraining(), TRAINING_KEY, leave_out=DRAWN_FIELDS, across=2)
    return {
        "mask_epochs": mask_epochs,
        "device": device,
        "training": {**training, "classifier": classifier, "weights": weights},
    }


def _choose_regions() -> tuple[str, dict[str, Any]]:
    """Show how maps are made; return the confidence measure, and how the region classifier is trained beside its budget."""
    measure = st.selectbox(
        "Confidence measure of the maps",
        list(MEASURES),
        format_func=MEASURES.title,
        key="run_measure",
        help=explained(MEASURES),
    )
    st.caption("How the region classifier is trained where there is none yet that was trained so.")
    return str(measure), settings_form(RegionTraining(), REGIONS_KEY, leave_out=BUDGET_FIELDS, across=2)


def _choose_what_there_is(attributes: list[str], faces: FaceDataset) -> None:
    """Replace a target or confounder that these faces do not have by one that they have, so that the form fits the set."""
    chosen = [st.session_state.get(key) for key in ("target", "confounder")]
    if all(_exists(faces, name) for name in chosen):
        return
    columns = {name: faces.column_of(name) for name in attributes}
    target = chosen[0] if _exists(faces, chosen[0]) else attributes[0]
    others = [name for name in attributes if columns[name] != faces.column_of(str(target))]
    confounder = chosen[1] if _exists(faces, chosen[1]) and chosen[1] != target else next(iter(others), attributes[1])
    st.session_state.update(target=target, confounder=confounder)


def _exists(faces: FaceDataset, name: object) -> bool:
    try:
        return isinstance(name, str) and bool(faces.labelled(name).any()) and bool(faces.column_of(name))
    except FairsalError:
        return False


def _offered(key: str, attributes: list[str]) -> list[str]:
    """Return the attributes, and one of two classes that was typed or came with an earlier run."""
    chosen = st.session_state.get(key)
    return attributes if chosen is None or chosen in attributes else [*attributes, str(chosen)]


def _say_who_is_left_out(faces: FaceDataset, target: str, confounder: str) -> None:
    """Say what is wrong with the two, or how many faces lack a label of them."""
    try:
        if target != confounder and faces.column_of(target) == faces.column_of(confounder):
            st.error(
                f"{plain(target)} and {plain(confounder)} are read from one column; choose two different attributes."
            )
            st.stop()
        lacking = int((~faces.labelled(target, confounder)).sum())
    except FairsalError as error:
        st.error(plain(error))
        st.stop()
    if lacking:
        st.caption(f"{lacking:,} of {len(faces):,} faces have no label of both and are left out.")
