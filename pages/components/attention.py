"""What the classifiers look at, before and after: maps of the same faces, their means, the metrics, and the trade-off.

Everything is read from what the explain stage left in the run; another region of interest is measured from the kept maps.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    Attention,
    ExperimentConfig,
    RoiChoice,
    fairness_change_table,
    find_roi,
    list_attention,
    measure_again,
    over_all_seeds,
    parse_config,
    read_predictions,
)
from fairsal_core.faces import CELLS, PART_OF, AnyRoi, FaceDataset, cell_name, roi_area
from fairsal_core.saliency import EXPLAINERS
from pages.components.attention_charts import metric_chart, tests_table, trade_off_chart
from pages.components.audit import Audit
from pages.components.begin import begin_run
from pages.components.data import get_faces
from pages.components.desk import attention_of
from pages.components.map_grid import Picture, map_grid
from pages.components.pictures import diverging_map, outline_path, over_face
from pages.components.roi_editor import choose_roi, roi_figure
from pages.components.watch import watch_run
from pages.components.words import plain

SIDE = 128
SATURATED = 0.995  # share of the pixels that the colours tell apart; a few peaks would make all others white


@st.fragment
def attention_sections(audit: Audit) -> None:
    """Show whether attention left the region where the confounder lives."""
    st.header("What the classifiers look at")
    try:
        found = list_attention(audit.run.path)
    except FairsalError as error:
        st.error(plain(error))
        return
    if not found:
        st.info(
            "Nothing was explained in this run yet: explain its stored classifiers, and maps and numbers appear here."
        )
        _explain_form(audit)
        return
    faces = _explained_faces(audit, found[0].faces)
    by_name = {str(one.about["explainer"]): one for one in found}
    left, right = st.columns([1, 3], gap="large")
    with left:
        chosen = _choice("Explainer", list(by_name), "explainer")
        attention = by_name[chosen]
        used = attention.about["roi_used"]
        asked = RoiChoice.model_validate(used) if used else None
        choice = choose_roi(audit.confounder, asked, _kinds(audit, faces))
        try:
            _, roi = find_roi(choice, audit.run.path, audit.confounder, _of(faces, attention))
            outlines = roi.mask((SIDE, SIDE)) if roi else None
        except FairsalError as error:
            st.error(plain(error))
            return
        if roi is None or outlines is None:
            return
        mean_face = faces.images.mean(axis=0).astype(np.uint8) if faces else np.full((SIDE, SIDE, 3), 200, np.uint8)
        shared = outlines if outlines.ndim == 2 else outlines.mean(axis=0) > 0.5
        roi_figure(mean_face, shared, draw=choice.kind == "box", area=roi_area(roi, (SIDE, SIDE)))
        _explain_form(audit)
    table = _measured(audit, by_name, choice, asked, roi, faces)
    with right:
        variants = [str(name) for name in attention.about["variants"]]
        first, second = st.columns(2)
        with first:
            before = _choice("Before", variants, "maps_before")
        with second:
            others = [name for name in variants if name != before] or variants
            after = _choice("After", others, "maps_after", start=_first_mitigated(others))
        side_by_side(audit, attention, faces, outlines, before, after)
    mean_maps(audit, attention, faces, shared, before, after)
    metrics_section(audit, table, before, after, choice)
    sanity_note(found)
    trade_off_section(audit, table, chosen)


def side_by_side(
    audit: Audit,
    attention: Attention,
    faces: FaceDataset | None,
    outlines: NDArray[np.bool_],
    before: str,
    after: str,
) -> None:
    """Show one face of each cell under both variants, and the difference of what they look at."""
    names = attention.faces
    sets = len(names) // len(CELLS)
    number = st.number_input(f"Faces, set 1 to {sets}", 1, sets, key="face_set", help="One test face of each subgroup.")
    rows = range((number - 1) * len(CELLS), number * len(CELLS))
    q, p = (
        np.asarray(attention.maps(variant)[rows.start : rows.stop], dtype=np.float32) for variant in (before, after)
    )
    limit = float(np.quantile(np.abs(np.concatenate([q, p])), SATURATED))
    content = []
    for index, row in enumerate(rows):
        cell = cell_name(audit.target, audit.confounder, CELLS[index])
        face = faces.images[row] if faces else np.full((SIDE, SIDE, 3), 255, np.uint8)
        outline = outline_path(outlines if outlines.ndim == 2 else outlines[row])
        difference = np.abs(p[index]) - np.abs(q[index])
        pictures = [
            Picture(face, f"Face {names[row]}, {cell}", outline),
            *(
                Picture(
                    over_face(diverging_map(maps, limit), face),
                    f"Relevance under {variant}, face {names[row]}",
                    outline,
                )
                for variant, maps in ((before, q[index]), (after, p[index]))
            ),
            Picture(
                over_face(diverging_map(difference, limit), face),
                f"Magnitude under {after} less under {before}, face {names[row]}",
                outline,
            ),
        ]
        content.append((cell, pictures))
    map_grid(["face", before, after, f"|{after}| − |{before}|"], content, limit, key="side_by_side")
    st.caption(
        f"Signed relevance of the annotated label's logit, seed {attention.about['maps_of_seed']}, clean faces; each map divided "
        "by its largest magnitude, one scale for all. Red speaks for the label, blue against it; in the last column red is what "
        "gained magnitude. The line is the border of the region of interest."
    )


def mean_maps(
    audit: Audit,
    attention: Attention,
    faces: FaceDataset | None,
    outline: NDArray[np.bool_],
    before: str,
    after: str,
) -> None:
    """Show the mean map of each cell under both variants."""
    st.subheader("Mean maps of the four subgroups")
    means = {variant: attention.means(variant) for variant in dict.fromkeys((before, after))}
    limit = float(np.quantile(np.abs(np.concatenate(list(means.values()))), SATURATED))
    columns = [cell_name(audit.target, audit.confounder, cell) for cell in CELLS]
    path = outline_path(outline)
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    rows = [
        (
            variant,
            [
                Picture(over_face(diverging_map(mean, limit), white), f"Mean map of {column} under {variant}", path)
                for column, mean in zip(columns, maps, strict=True)
            ],
        )
        for variant, maps in means.items()
    ]
    map_grid(columns, rows, limit, key="mean_maps")
    seeds = len(attention.about["seeds"])
    st.caption(
        f"Mean over {attention.about['faces'] // len(CELLS)} test faces a subgroup"
        + (f" and {seeds} seeds" if seeds > 1 else "")
        + "; each face's map counts alike."
    )


def metrics_section(audit: Audit, table: pd.DataFrame, before: str, after: str, choice: RoiChoice) -> None:
    """Show every metric before and after, per group, for every explainer, with intervals; and the tests."""
    st.subheader("Relevance in the region, before and after")
    pooled = over_all_seeds(table)
    st.plotly_chart(
        metric_chart(pooled, before, after),
        key="attention_metrics",
        alt=f"Metrics against the region {choice.name}, {before} and {after}, per subgroup with 95% intervals",
    )
    counts = pooled.loc[pooled["group"] == "all", "n"]
    seeds = len(audit.run.config["seeds"])
    st.caption(
        f"Region: {choice.name}. {int(counts.max())} test faces, clean; mean and 95% bootstrap interval over faces"
        + (" and seeds" if table["seed"].nunique() > 1 else (f", seed {table['seed'].min()}" if seeds > 1 else ""))
        + ". RRF, HRF and MRR fall, ADR and DIF rise, when attention leaves the region."
    )
    missing = int(pooled["n_nan"].max())
    if missing:
        st.caption(
            f"Up to {missing} faces have no value (a map of zeros, or no such part in the face) and are left out."
        )
    st.table(tests_table(pooled).set_index("variant"))
    st.caption(
        "RDDT: did the mean in the region fall? DET: does the region draw more than the rest? One-sided Wilcoxon signed-rank "
        "tests over faces, at 0.01; effect: rank-biserial correlation, −1 to 1."
    )


def sanity_note(found: Sequence[Attention]) -> None:
    """Say how much of the maps is left when the weights are randomised."""
    lines = [one.sanity for one in found if one.sanity]
    if lines:
        st.caption(
            "Sanity check: near 1, maps show the face whatever was learned; near 0, they show what was learned.  \n"
            + "  \n".join(lines)
        )


def trade_off_section(audit: Audit, table: pd.DataFrame, explainer: str) -> None:
    """Show the change in fairness against the change in attention, for every variant."""
    st.subheader("Does fairness change for the right reasons?")
    across, down = st.columns(2)
    with across:
        attention = _choice(
            "Attention", ["rrf_change", "adr"], "trade_attention", names={"rrf_change": "RRF", "adr": "ADR"}
        )
    with down:
        names = {"gap": "gap", "equalized_odds_difference": "equalized odds"}
        fairness = _choice("Fairness", list(names), "trade_fairness", names=names)
    changed = (audit.run.path / "predictions.parquet").stat().st_mtime
    changes = _fairness_changes(str(audit.run.path), changed, parse_config(dict(audit.run.config)))
    pooled = over_all_seeds(table)
    pooled = pooled[pooled["explainer"] == explainer]
    figure, still = trade_off_chart(changes, pooled, attention, fairness)
    st.plotly_chart(figure, key="trade_off", alt="Change in fairness against change in attention for every variant")
    st.caption(
        "Each point is a variant against the original, clean test faces, with 95% intervals both ways. Below the line the "
        "difference between groups came down; left of it (RRF) or right of it (ADR) attention left the region. A variant that "
        "reduces the gap without that may do so for another reason."
    )
    if still:
        st.caption(f"Attention unchanged by construction: {', '.join(still)} (the classifier itself is not touched).")


@st.cache_data(max_entries=32, show_spinner=False)
def _fairness_changes(run: str, changed: float, _config: ExperimentConfig) -> pd.DataFrame:
    return fairness_change_table(read_predictions(Path(run)), _config.original_of)


def _measured(
    audit: Audit,
    found: Mapping[str, Attention],
    choice: RoiChoice,
    used: RoiChoice | None,
    roi: AnyRoi,
    faces: FaceDataset | None,
) -> pd.DataFrame:
    """Return the summaries against this region: the run's own, or measured again from the kept maps."""
    stored = attention_of(audit.run.path)
    parts = []
    for name, attention in found.items():
        own = stored[(stored["explainer"] == name) & (stored["roi"] == choice.name)]
        if len(own):
            parts.append(own)
            continue
        _, region = find_roi(choice, audit.run.path, audit.confounder, _of(faces, attention))
        changed = (attention.folder / "about.json").stat().st_mtime
        if region is not None:
            parts.append(
                _again(str(attention.folder), changed, choice.name, audit.target, audit.confounder, attention, region)
            )
    return pd.concat(parts, ignore_index=True)


@st.cache_data(max_entries=64, show_spinner="Measuring the kept maps against this region …")
def _again(
    folder: str, changed: float, name: str, target: str, confounder: str, _attention: Attention, _roi: AnyRoi
) -> pd.DataFrame:
    return measure_again(_attention, _roi, target, confounder, name)


def _explained_faces(audit: Audit, names: list[str]) -> FaceDataset | None:
    """Return the faces whose maps are kept, or None where the data is gone: maps are then shown without them."""
    try:
        faces = get_faces(str(audit.run.config["data"]))
    except FairsalError as error:
        st.warning(f"The faces themselves cannot be shown: {plain(error)}")
        return None
    rows = faces.names.get_indexer(pd.Index(names))
    if (rows < 0).any():
        st.warning("The faces themselves cannot be shown: they are no longer in the data.")
        return None
    return faces.take(rows)


def _of(faces: FaceDataset | None, attention: Attention) -> FaceDataset | None:
    """Return the faces that this explainer's maps are of: explainers may have seen different numbers of them."""
    if faces is None or list(faces.names) == attention.faces:
        return faces
    rows = faces.names.get_indexer(pd.Index(attention.faces))
    return None if (rows < 0).any() else faces.take(rows)


def _first_mitigated(variants: list[str]) -> int:
    """Return the place of the first variant that is neither an original nor balanced; the first where all are."""
    return next((i for i, name in enumerate(variants) if not name.startswith(("original", "balanced"))), 0)


def _kinds(audit: Audit, faces: FaceDataset | None) -> list[str]:
    kinds = ["region_map"] if (audit.run.path / "mean_map.npy").is_file() else []
    if faces is not None and faces.parts_folder is not None and audit.confounder in PART_OF:
        kinds.append("parts")
    return [*kinds, "box"]


def _choice(label: str, options: list[str], key: str, *, start: int = 0, names: Mapping[str, str] | None = None) -> str:
    """Show a choice that is part of the link, and return what was chosen."""
    if st.session_state.get(key) not in options:
        wanted = st.query_params.get(key)
        st.session_state[key] = wanted if wanted in options else options[min(start, len(options) - 1)]
    chosen = str(st.selectbox(label, options, key=key, format_func=lambda name: (names or {}).get(name, name)))
    st.query_params[key] = chosen
    return chosen


def _explain_form(audit: Audit) -> None:
    """Offer to explain the run's stored classifiers now, and watch it."""
    with st.expander("Explain with another explainer, or more faces"):
        methods = st.multiselect(
            "Explainers",
            list(EXPLAINERS),
            default=["lrp"],
            key="explain_methods",
            help="\n\n".join(f"{name}: {explainer.description}" for name, explainer in EXPLAINERS.items()),
        )
        count = st.number_input("Faces", 4, 4096, 128, step=4, key="explain_faces", help="Test faces, in equal cells.")
        if st.button("Explain", key="explain_start", disabled=not methods, icon=":material/visibility:"):
            config = {"run": audit.run.id, "explainers": methods, "explained_faces": int(count)}
            settings = {**config, "device": audit.run.config.get("device", "auto")}
            if begun := begin_run("explain", settings, "Explain"):
                st.session_state["explain_job"] = begun
        if job := st.session_state.get("explain_job"):
            watch_run(job)
