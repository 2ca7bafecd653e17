"""The first chart: how each subgroup fares under the reference and the candidate, on clean faces."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fairsal_core.metrics import ACCURACY
from fairsal_core.results import CLEAN
from pages.components.comparison.interval_bars import interval_bars
from pages.components.shared.palette import COLOURS
from pages.components.shared.words import in_chart

_ROW, _TWO_LINES, _LEAST_ROW, _ALL_ROWS = (
    46,
    28,
    22,
    224,
)  # pixels: of many groups each takes less, so that the page stays short
_OFFSET = 0.13


def subgroups_of(results: pd.DataFrame) -> list[str]:
    """Return the subgroups of results, however many there are: what accuracies are of, but for all faces and the two targets."""
    return list(dict.fromkeys(results.loc[results["metric"] == ACCURACY, "group"]))[3:]


def cells_of(results: pd.DataFrame) -> pd.DataFrame:
    """Return what `cells_chart` draws of the cells: their rows on clean faces of pooled ones as from `results_table`."""
    clean = results[results["evaluation"].eq(CLEAN) & results["metric"].eq(ACCURACY)]
    return clean[clean["group"].isin(subgroups_of(results))]


@st.cache_resource(max_entries=64, show_spinner=False)
def cells_chart(cells: pd.DataFrame, reference: str, candidate: str | None, faces: str = "clean faces") -> go.Figure:
    """Return one row a subgroup: reference open, candidate filled, each with its interval; every other variant a faint tick.

    Parameters
    ----------
    cells : DataFrame
        `variant`, `group`, `value`, `low`, `high` and `n`: accuracies of all variants beside each other.
    reference, candidate : str
        Two of its variants.
    faces : str
        What these are accuracies on.
    """
    groups = list(dict.fromkeys(cells["group"]))
    row = min(_ROW, max(_LEAST_ROW, _ALL_ROWS // max(len(groups), 1)))
    # Names of crossed groups are long: on a phone nothing else would have room in one line.
    broken = "<br>and " if row >= _TWO_LINES else " and "
    places = {group: place for place, group in enumerate(groups)}
    figure = go.Figure()
    others = cells[~cells["variant"].isin([reference, candidate])]
    figure.add_scatter(
        name="other variants",
        x=others["value"],
        y=others["group"].map(places).astype(float),
        mode="markers",
        marker={"color": "#7f7f7f", "symbol": "line-ns-open", "size": 12},
        text=others["variant"].map(in_chart),
        hovertemplate="%{text}: %{x:.3f}<extra></extra>",
        showlegend=bool(len(others)),
    )
    for variant, colour, symbol, side in (
        (reference, COLOURS[0], "circle-open", -_OFFSET),
        (candidate, COLOURS[1], "circle", _OFFSET),
    ):
        if variant is None:
            continue
        part = cells[cells["variant"] == variant]
        figure.add_scatter(
            name=in_chart(variant),
            x=part["value"],
            y=part["group"].map(places).astype(float) + side,
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2}},
            error_x=interval_bars(part),
            customdata=part[["low", "high", "n", "group"]].assign(group=part["group"].map(in_chart)),
            hovertemplate="%{customdata[3]}: %{x:.3f}<br>95% interval %{customdata[0]:.3f} to %{customdata[1]:.3f}<br>"
            f"%{{customdata[2]}} faces<extra>{in_chart(variant)}</extra>",
        )
    figure.update_layout(
        height=70 + row * len(groups),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        xaxis={"range": [-0.02, 1.02], "title": f"accuracy on {in_chart(faces)}"},
        yaxis={
            "tickvals": list(places.values()),
            "ticktext": [in_chart(group).replace(" and ", broken) for group in groups],
            "range": [len(groups) - 0.5, -0.5],
            "automargin": True,
        },
    )
    return figure
