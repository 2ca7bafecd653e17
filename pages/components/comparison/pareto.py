"""Accuracy against fairness: what mitigation cost, and which variants another beats in both."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fairsal_core.metrics import ACCURACY, EQUALIZED_ODDS, dominated
from fairsal_core.results import CLEAN
from pages.components.comparison.desk import Desk
from pages.components.comparison.interval_bars import NO_BAR
from pages.components.comparison.point_labels import label_places
from pages.components.shared.palette import COLOURS
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import in_chart, plain

_FADED, _FULL = ("#7f7f7f", 0.45), (COLOURS[0], 1.0)


@in_one_sentence("Accuracy against fairness")
def pareto_section(desk: Desk) -> None:
    """Show accuracy against the equalized odds difference of every variant on the desk, on clean test faces."""
    points = pareto_points(desk.results)
    if len(points) < 2:
        return
    st.plotly_chart(
        pareto_chart(points, desk.audit.confounder),
        key="pareto",
        config=NO_BAR,
        alt="Accuracy against the equalized odds difference of every variant; dominated ones are faded",
    )
    beaten = points.loc[points["dominated"], "variant"]
    st.caption(
        "Clean test faces, 95% intervals both ways. Up is more accurate, left is more alike between the groups; a variant that "
        "another beats in both is faded"
        + (f": {plain(', '.join(beaten))}. " if len(beaten) else ". ")
        + "Intervals overlap: a faded point need not be worse."
    )


def pareto_points(results: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and equalized odds difference per variant, on clean faces, with intervals and dominance."""
    clean = results[results["evaluation"] == CLEAN]
    accuracy = clean[(clean["metric"] == ACCURACY) & (clean["group"] == "all")].set_index("variant")
    odds = clean[clean["metric"] == EQUALIZED_ODDS].set_index("variant")
    columns = ["value", "low", "high"]
    points = accuracy[columns].add_suffix("_accuracy").join(odds[columns].add_suffix("_odds"), how="inner").dropna()
    beaten = dominated(points["value_accuracy"].to_numpy(float), points["value_odds"].to_numpy(float))
    return points.assign(dominated=beaten).reset_index()


@st.cache_resource(max_entries=64, show_spinner=False)
def pareto_chart(points: pd.DataFrame, confounder: str) -> go.Figure:
    """Return the picture: one labelled point a variant."""
    figure = go.Figure()
    across, down = (_span(points, what) for what in ("odds", "accuracy"))
    places = label_places(points["value_odds"], points["value_accuracy"], list(points["variant"]), across, down)
    for beaten, part in points.assign(place=places).groupby("dominated"):
        colour, opacity = _FADED if beaten else _FULL
        figure.add_scatter(
            name="dominated" if beaten else "not dominated",
            x=part["value_odds"],
            y=part["value_accuracy"],
            text=part["variant"].map(in_chart),
            mode="markers+text",
            textposition=part["place"],
            marker={"size": 11, "color": colour, "opacity": opacity},  # the names stay as readable as the others
            error_x=_bars(part, "odds", colour, opacity),
            error_y=_bars(part, "accuracy", colour, opacity),
            hovertemplate="%{text}: accuracy %{y:.3f}, equalized odds difference %{x:.3f}<extra></extra>",
        )
    figure.update_layout(
        title="Accuracy against fairness",
        xaxis_title=f"equalized odds difference by {in_chart(confounder)}",
        yaxis_title="accuracy",
        height=460,
        margin={"l": 8, "r": 8, "t": 60, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
    return figure


def _span(points: pd.DataFrame, what: str) -> float:
    """Return what the axis spans, intervals and all."""
    return float(points[f"high_{what}"].max() - points[f"low_{what}"].min()) or 1.0


def _bars(part: pd.DataFrame, what: str, colour: str, opacity: float) -> dict[str, object]:
    value = part[f"value_{what}"]
    return {
        "type": "data",
        "symmetric": False,
        "array": part[f"high_{what}"] - value,
        "arrayminus": value - part[f"low_{what}"],
        "thickness": 1,
        "color": f"{colour}{round(255 * opacity):02x}",
    }
