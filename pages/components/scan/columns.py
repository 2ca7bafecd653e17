"""Errors by column: one line a family of attributes, opened by choosing it; the faces behind it, and what to do next."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from fairsal_core.scan import (
    ALIKE,
    CANNOT_SAY,
    DIFFERS,
    FEWEST_FACES,
    MARGIN,
    SAME_FAMILY,
    Columns,
    by_family,
    columns_of,
)
from pages.components.scan.check import offer_check
from pages.components.scan.confounder import fill_training
from pages.components.scan.faces import faces_of_row
from pages.components.scan.view import View, scanned
from pages.components.shared.links import link_choice
from pages.components.shared.table_download import offer_table
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

if TYPE_CHECKING:
    from streamlit.elements.arrow import DataframeStateInput

_OPENED = "opened"  # in the link: an attribute of the line that is opened
_SIGNS = {DIFFERS: "● differs", ALIKE: f"✓ {ALIKE}", CANNOT_SAY: "○ cannot say"}


@in_one_sentence("Errors by column")
def columns_section(view: View) -> None:
    """Show by which attributes the errors differ, the most certain first."""
    st.subheader("Errors by attribute")
    depth = 2 if st.toggle("Also crossings of two", key="crossings", bind="query-params") else 1
    table = scanned(view.key, depth, view)
    _summary(table, plain(view.judged.target))
    families = by_family(table)
    leaders = pd.concat([family.iloc[:1] for family in families], ignore_index=True)
    sizes = [len(family) for family in families]
    chosen = st.dataframe(
        _shown(leaders, view.judged.target, sizes),
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        key="scan_rows",
        selection_default=_linked(families),
        alt="Attributes by how differently the classifier errs on them",
    )
    st.caption(
        "*Difference*: the larger of the differences in true and in false positive rate between faces with the attribute and "
        "without, with its 95% interval. *Of its own*: the mean of the two with the attributes of other lines held fixed, so that "
        "what only comes with another attribute falls back; the lines stand by it. *n*: faces of the smallest of the four cells; "
        f"below {FEWEST_FACES} nothing is said. *Needed*: how many that cell would need for a difference of {MARGIN:g} to be seen "
        "with 80% power. *p*: adjusted for everything that was looked at (Benjamini and Hochberg). Attributes that come together "
        "are one line: choose it to open it."
    )
    offer_table(table, "All numbers", f"scan-{view.run.id}")
    rows = chosen.selection.rows
    if not rows or rows[0] >= len(families):
        st.query_params.pop(_OPENED, None)
        return
    _opened(view, families[rows[0]])


def _linked(families: list[pd.DataFrame]) -> "DataframeStateInput | None":
    """Return the line to open: the one with the attribute that the link names."""
    asked = st.query_params.get(_OPENED)
    rows = [row for row, family in enumerate(families) if asked in family["attribute"].tolist()]
    return {"selection": {"rows": rows}} if rows else None


def _beside_the_target(table: pd.DataFrame, target: str) -> str:
    """Return a sentence where the first attribute comes with the target: which is the first that does not."""
    others = table[(table["with_target"].abs() < SAME_FAMILY) & (table["verdict"] == DIFFERS)]
    phi = table["with_target"][0]
    if not abs(phi) >= SAME_FAMILY or others.empty:
        return ""
    return (
        f" It comes with {target} (phi {phi:.2f}) and may be a part of it; of those that do not, most surely by "
        f"**{plain(others['attribute'].iloc[0])}**."
    )


def _summary(table: pd.DataFrame, target: str) -> None:
    counts = {verdict: int((table["verdict"] == verdict).sum()) for verdict in _SIGNS}
    first = table.iloc[0]
    if counts[DIFFERS]:
        said = (
            f"Errors differ by {counts[DIFFERS]} of {len(table)} attributes, most surely by **{plain(first['attribute'])}**: "
            f"{first['value']:.2f} [{first['low']:.2f}, {first['high']:.2f}]."
            f"{_beside_the_target(table, target)}"
        )
    else:
        said = f"No difference in errors is shown by any of {len(table)} attributes."
    st.markdown(
        f"{said} {counts[ALIKE]} are shown to differ by less than {MARGIN:g}; of {counts[CANNOT_SAY]} these faces cannot say."
    )


def _shown(rows: pd.DataFrame, target: str, sizes: list[int] | None = None) -> pd.DataFrame:
    names = rows["attribute"].tolist()
    if sizes is not None:
        names = [f"{name} +{size - 1}" if size > 1 else name for name, size in zip(names, sizes, strict=True)]
    return pd.DataFrame(
        {
            "attribute": names,
            "verdict": rows["verdict"].map(_SIGNS),
            "difference": [_interval(row.value, row.low, row.high) for row in rows.itertuples()],
            "of its own": [_interval(row.own, row.own_low, row.own_high) for row in rows.itertuples()],
            "p": [_p(value) for value in rows["adjusted_p"]],
            "n": rows["n"],
            "needed": rows["needed"].where(np.isfinite(rows["needed"].astype(float))),
            "worst cell": [
                f"{_cell_name(str(row.worst_cell), target)}: right {_interval(row.worst_value, row.worst_low, row.worst_high)}"
                for row in rows.itertuples()
            ],
            "selection ratio": [
                _interval(row.selection_ratio, row.selection_low, row.selection_high) for row in rows.itertuples()
            ],
        }
    )


def _cell_name(cell: str, target: str) -> str:
    label, side = cell.split(" ")
    return f"{target if label == 'target' else f'not {target}'}, {side}"


def _interval(value: Any, low: Any, high: Any) -> str:
    return "–" if pd.isna(value) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _p(value: float) -> str:
    if value != value:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _opened(view: View, family: pd.DataFrame) -> None:
    """Show the members of a family, the faces behind one of them, and what can be done with it."""
    with st.container(border=True):
        names = family["attribute"].tolist()
        if len(names) > 1:
            st.markdown(f"**{len(names)} attributes that come together on these faces**")
            st.dataframe(
                _shown(family, view.judged.target), hide_index=True, width="stretch", alt="Attributes of this family"
            )
        name = link_choice("Attribute", names, _OPENED) if len(names) > 1 else names[0]
        st.query_params[_OPENED] = name
        row = family[family["attribute"] == name].iloc[0]
        st.markdown(
            f"**{plain(name)}**: true positive rate {_signed(row, 'true_positive')}, false positive rate "
            f"{_signed(row, 'false_positive')}, with less without."
            + (f" {row['missing']:,} faces have no label and are left out." if row["missing"] else "")
        )
        columns = columns_of(view.attributes)
        if name in columns.names:
            _next(view, name)
            faces_of_row(view, name, *_cell(view, columns, row))


def _signed(row: pd.Series, rate: str) -> str:
    if pd.isna(row[f"{rate}_difference"]):
        return "cannot be compared"
    return f"{row[f'{rate}_difference']:+.2f} [{row[f'{rate}_low']:+.2f}, {row[f'{rate}_high']:+.2f}]"


def _cell(view: View, columns: Columns, row: pd.Series) -> tuple[str, Any]:
    """Return the name of a row's worst cell and which faces are in it."""
    place = columns.names.index(row["attribute"])
    label, side = str(row["worst_cell"]).split(" ")
    cell = _cell_name(str(row["worst_cell"]), view.judged.target)
    has = columns.has[:, place] if side == "with" else columns.known[:, place] & ~columns.has[:, place]
    return f"{cell} {row['attribute']}", has & (view.judged.has == (label == "target"))


def _next(view: View, name: str) -> None:
    """Offer to train against it, and to hide where it lives and count the decisions that change."""
    with st.container(horizontal=True):
        if st.button("Use as confounder", icon=":material/model_training:", help="Fills the form on Training."):
            fill_training(view, name)
        offer_check(view, name)
        st.page_link(
            "pages/attribution.py",
            label="See where it lives",
            icon=":material/location_searching:",
            query_params={"attribute": name, "quantile": "0.7"},
        )
