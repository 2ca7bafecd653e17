"""The biased subset: how many faces of each subgroup, what there is, how strongly target and confounder go together."""

import pandas as pd
import streamlit as st

from fairsal_core.faces import CELLS, CellCounts, FaceDataset, cell_name, feasible_scale, group_name, with_or_without
from pages.components.shared.rows import abreast
from pages.components.shared.words import plain, plain_table

COUNT_FIELDS = list(CellCounts.model_fields)


def choose_counts(faces: FaceDataset, target: str, confounder: str) -> CellCounts:
    """Show the four counts and the table they make beside what the train split has, and return them."""
    available = CellCounts.of(faces.in_split("train"), target, confounder)
    inputs, table = st.columns([3, 2])
    values: dict[str, int] = {}
    with inputs, abreast("counts", 2):
        columns = [*st.columns(2), *st.columns(2)]
    for column, cell, field in zip(columns, CELLS, COUNT_FIELDS, strict=True):
        values[field] = column.number_input(
            plain(_sentence_case(cell_name(target, confounder, cell))),
            min_value=0,
            step=100,
            key=f"count_{field}",
            help=f"{available[cell]:,} in the train split",
        )
    counts = CellCounts(**values)
    with table:
        table_shown = plain_table(subset_table(counts, available, target, confounder).reset_index())
        st.table(table_shown.set_index("faces"))
        st.caption(
            f"{counts.total:,} faces in all; correlation of {plain(target)} and {plain(confounder)}: φ = {counts.phi:+.2f}"
        )
    _say_what_fits(counts, available)
    return counts


def subset_table(counts: CellCounts, available: CellCounts, target: str, confounder: str) -> pd.DataFrame:
    """Return the 2 x 2 table, each cell as "wanted of available"."""
    rows = {
        group_name(target, has_target): {
            with_or_without(confounder, has_confounder): f"{counts[cell]:,} of {available[cell]:,}"
            for cell in CELLS
            if cell.target == has_target
            for has_confounder in (cell.confounder,)
        }
        for has_target in (True, False)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("faces")


def _say_what_fits(counts: CellCounts, available: CellCounts) -> None:
    scale = feasible_scale(counts, available)
    if scale == 1:
        room = min([available[cell] / counts[cell] for cell in CELLS if counts[cell]], default=1.0)
        st.caption(f"There are faces for {room:.1f} times these counts.")
        return
    st.error(f"Too few faces. The largest scale that fits is {int(scale * 1000) / 1000:g}.")
    st.button("Scale the counts to fit", on_click=_scale_counts, args=(scale,), disabled=scale == 0)


def _scale_counts(scale: float) -> None:
    counts = CellCounts(**{field: st.session_state[f"count_{field}"] for field in COUNT_FIELDS}).scaled(scale)
    for field in COUNT_FIELDS:
        st.session_state[f"count_{field}"] = getattr(counts, field)


def _sentence_case(text: str) -> str:
    """Return text with its first letter capital, and the attribute names in it as they are."""
    return text[:1].upper() + text[1:]
