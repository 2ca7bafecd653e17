"""Training: choose a bias and a scheme, start, watch, cancel."""

from contextlib import suppress
from typing import Any

import pandas as pd
import streamlit as st

from fairsal_core.classifiers import CLASSIFIERS
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    PRESETS,
    ExperimentConfig,
    Run,
    list_runs,
    parse_config,
    plan_variants,
    preset_settings,
    start,
)
from fairsal_core.faces import CELLS, CellCounts, FaceDataset, cell_members, cell_name, cell_table, feasible_scale
from fairsal_core.regions import MEASURES
from fairsal_core.schemes import SCHEMES
from pages.components.data import choose_source, get_faces
from pages.components.frame import inside_app
from pages.components.notes import label_note
from pages.components.tour import tour_bar, tour_step
from pages.components.watch import watch_run

COUNT_FIELDS = list(CellCounts.model_fields)


def fill_form(preset: str) -> None:
    """Set the form's fields to a preset's settings."""
    config = parse_config(preset_settings(preset))
    for field in COUNT_FIELDS:
        st.session_state[f"count_{field}"] = getattr(config.counts, field)
    st.session_state.update(
        confounder=config.confounder,
        target=config.target,
        schemes=[choice.scheme for choice in config.schemes],
        scheme_quantile=config.schemes[0].quantile,
        epochs=config.training.epochs,
        learning_rate=config.training.learning_rate,
        learning_rate_decay=config.training.learning_rate_decay,
        batch_size=config.training.batch_size,
        balanced=config.balanced,
        seed_count=len(config.seeds),
    )


def scale_counts(scale: float) -> None:
    """Multiply the form's counts by a factor."""
    counts = CellCounts(**{field: st.session_state[f"count_{field}"] for field in COUNT_FIELDS}).scaled(scale)
    for field in COUNT_FIELDS:
        st.session_state[f"count_{field}"] = getattr(counts, field)


def sentence_case(text: str) -> str:
    """Return text with its first letter capital, and the attribute names in it as they are."""
    return text[:1].upper() + text[1:]


def usable_attributes(faces: FaceDataset) -> list[str]:
    """Return the attributes that some faces have and some have not."""
    varies = faces.attributes.any() & ~faces.attributes.all()
    return [str(name) for name in faces.attributes.columns[varies]]


def choose_counts(faces: FaceDataset, target: str, confounder: str) -> CellCounts:
    """Show the four counts beside what the train split has, and return them."""
    pool = faces.in_split("train")
    members = cell_members(pool, target, confounder)
    columns = st.columns(4)
    values: dict[str, int] = {}
    for column, cell, field in zip(columns, CELLS, COUNT_FIELDS, strict=True):
        with column:
            values[field] = st.number_input(
                sentence_case(cell_name(target, confounder, cell)),
                min_value=0,
                step=100,
                key=f"count_{field}",
                help=f"{len(members[cell]):,} in the train split",
            )
            st.caption(f"of {len(members[cell]):,}")
    counts = CellCounts(**values)
    available = CellCounts.of(pool, target, confounder)
    scale = feasible_scale(counts, available)
    st.caption(f"{counts.total:,} faces in all; correlation of {target} and {confounder}: φ = {counts.phi:+.2f}")
    if scale < 1:
        st.error(f"Too few faces. The largest scale that fits is {int(scale * 1000) / 1000:g}.")
        st.dataframe(cell_table(counts, available, target, confounder), width="content")
        st.button("Scale the counts to fit", on_click=scale_counts, args=(scale,), disabled=scale == 0)
    return counts


def form(source: str, faces: FaceDataset) -> dict[str, Any]:
    """Show the experiment's settings and return them as a config's content."""
    attributes = usable_attributes(faces)
    preset_column, target_column, confounder_column = st.columns(3)
    with preset_column:
        st.selectbox(
            "Start from",
            list(PRESETS),
            format_func=lambda name: PRESETS[name].description,
            key="preset",
            on_change=lambda: fill_form(st.session_state["preset"]),
        )
    with target_column:
        target = st.selectbox("Target attribute", attributes, key="target", help="What the classifier predicts.")
    with confounder_column:
        confounder = st.selectbox("Confounder", attributes, key="confounder", help="What it should not rely on.")
    if target == confounder:
        st.error("Target and confounder are the same; choose two different attributes.")
        st.stop()
    st.markdown("**Training faces** · how many of each subgroup")
    counts = choose_counts(faces, target, confounder)

    st.markdown("**Variants** · each is trained once per seed")
    scheme_column, quantile_column, seed_column = st.columns([2, 1, 1])
    with scheme_column:
        schemes = st.multiselect("Schemes", list(SCHEMES), key="schemes", help="Each hides regions in its own way.")
        st.checkbox("Also train on equal cells (balanced)", key="balanced")
    with quantile_column:
        quantile = st.slider("Quantile", 0.05, 0.95, step=0.05, key="scheme_quantile", help="0.7 hides the top 30%.")
    with seed_column:
        seeds = st.number_input("Seeds", 1, 20, key="seed_count", help="More seeds, narrower intervals.")
    epoch_column, device_column, _ = st.columns([1, 1, 2])
    with epoch_column:
        epochs = st.number_input("Epochs", 1, 500, key="epochs")
    with device_column:
        device = st.selectbox("Device", ["auto", "cpu", "cuda"], key="device", help="auto: CUDA where there is a GPU.")
    with st.expander("More settings"):
        classifier = st.selectbox("Audited classifier", list(CLASSIFIERS), key="classifier")
        measure = st.selectbox("Confidence measure of the maps", list(MEASURES), key="run_measure")
        rate = st.number_input("Learning rate", 1e-7, 1.0, format="%.1e", step=1e-5, key="learning_rate")
        decay = st.number_input("Learning rate decay per epoch", 0.1, 1.0, step=0.05, key="learning_rate_decay")
        batch = st.number_input("Batch size", 2, 4096, key="batch_size")
    return {
        "data": source,
        "target": target,
        "confounder": confounder,
        "counts": counts.model_dump(),
        "balanced": st.session_state["balanced"],
        "schemes": [f"{scheme}@{quantile:g}" for scheme in schemes],
        "measure": measure,
        "seeds": list(range(int(seeds))),
        "device": device,
        "training": {
            "classifier": classifier,
            "epochs": epochs,
            "batch_size": batch,
            "learning_rate": rate,
            "learning_rate_decay": decay,
        },
    }


def checked(content: dict[str, Any], faces: FaceDataset) -> ExperimentConfig | None:
    """Return the config if the faces allow it; else say why not."""
    try:
        config = parse_config(content)
        plan_variants(config, faces)
    except FairsalError as error:
        st.error(str(error))
        return None
    return config


def begin(config: ExperimentConfig) -> None:
    """Start a run and watch it, or say why it cannot be started."""
    try:
        path = start("experiment", config.model_dump(mode="json"), name=f"{config.target} × {config.confounder}")
    except FairsalError as error:
        st.error(str(error))
        return
    st.query_params["run"] = path.name
    st.session_state.pop("runs", None)


def settings_of(run: Run) -> ExperimentConfig | None:
    """Return a run's settings; None for one that is no experiment of this version, as a copied folder may be."""
    with suppress(FairsalError):
        return parse_config(dict(run.config))
    return None


def show_runs() -> None:
    """List earlier runs; choosing one shows it."""
    runs = list_runs()
    st.subheader("Runs")
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
                "progress": run.status.fraction,
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
        column_config={"progress": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
    )
    rows = event["selection"]["rows"]
    if rows and st.query_params.get("run") != runs[rows[0]].id:
        st.query_params["run"] = runs[rows[0]].id
        st.rerun()


inside_app()

st.title("Train under a known bias")
tour_bar()
st.markdown(
    "Each variant learns the target from the same biased faces: as they are (*original*), in equal cells (*balanced*), or with the "
    "confounder's regions hidden by a scheme. All are judged on the same test faces, clean and treated."
)

if "target" not in st.session_state:
    fill_form("tour" if tour_step() else "demo")
    st.session_state["preset"] = "tour" if tour_step() else "demo"

source = choose_source("train_source")
try:
    faces = get_faces(source)
except FairsalError as error:
    st.error(str(error))
    st.stop()

with st.container(border=True):
    content = form(source, faces)
    config = checked(content, faces)
    if (
        st.button("Start", type="primary", disabled=config is None, icon=":material/play_arrow:", key="start")
        and config
    ):
        begin(config)

if "run" in st.query_params:
    with st.container(border=True, key="watched"):
        watch_run(st.query_params["run"])

show_runs()
label_note(source)
