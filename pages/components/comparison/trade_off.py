"""Does fairness change for the right reasons? Its change against the change in attention."""

from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import METRICS, GroupMetric, SaliencyMetric, metrics_of
from fairsal_core.results import fairness_change_table, over_all_seeds, read_predictions
from fairsal_core.settings import AuditConfig, ExperimentConfig, variant_title
from pages.components.comparison.explained import Explained
from pages.components.comparison.interval_bars import NO_BAR, interval_bars
from pages.components.comparison.point_labels import label_places
from pages.components.shared.links import link_choice
from pages.components.shared.palette import COLOURS
from pages.components.shared.words import in_chart, plain

SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")


def trade_off_section(explained: Explained, table: pd.DataFrame) -> None:
    """Show the change in fairness against the change in attention, for every variant."""
    run = explained.audit.run
    st.subheader("Does fairness change for the right reasons?")
    try:
        config = explained.audit.config
    except FairsalError as error:
        st.warning(f"Which variant is compared with which cannot be told from the settings of this run: {plain(error)}")
        return
    if isinstance(config, AuditConfig):
        st.caption("Of an audit there is no before: its classifiers lie side by side above.")
        return
    pooled = over_all_seeds(table)
    pooled = pooled[pooled["explainer"] == explained.explainer]
    falling, rising = (attention_axes(pooled, better) for better in ("lower", "higher"))
    across, down = st.columns(2)
    with across:
        attention = link_choice("Attention", [*falling, *rising], "trade_attention", names={**falling, **rising})
    with down:
        names = {metric.name: metric.axis.label for metric in metrics_of(GroupMetric) if metric.axis}
        fairness = link_choice("Fairness", list(names), "trade_fairness", names=names)
    changed = (run.path / "predictions.parquet").stat().st_mtime
    changes = _fairness_changes(str(run.path), changed, config)
    figure, still = trade_off_chart(changes, pooled, attention, fairness)
    st.plotly_chart(
        figure, key="trade_off", config=NO_BAR, alt="Change in fairness against change in attention for every variant"
    )
    sides = [
        f"{side} of it, by {' or '.join(axes.values())},"
        for side, axes in (("left", falling), ("right", rising))
        if axes
    ]
    st.caption(
        "Each point is a variant against the original, clean test faces, with 95% intervals both ways. Below the line the "
        f"difference between groups came down; {' or '.join(sides)} attention left the region. A variant that "
        "reduces the gap without that may do so for another reason."
    )
    if still:
        st.caption(
            f"Attention unchanged by construction: {plain(', '.join(map(variant_title, still)))} "
            "(the classifier itself is not touched)."
        )


def attention_axes(pooled: pd.DataFrame, better: str) -> dict[str, str]:
    """Return name and label of the metrics on offer that go this way when attention leaves the region.

    Those that were not measured in this run are not on offer, unless none was: then there is no change to draw.
    """
    axes = [metric for metric in metrics_of(SaliencyMetric) if metric.axis]
    measured = set(pooled["metric"])
    offered = [metric for metric in axes if metric.name in measured] or axes
    return {metric.name: metric.axis.label for metric in offered if metric.axis and metric.better == better}


@st.cache_data(max_entries=32, show_spinner=False)
def _fairness_changes(run: str, changed: float, _config: ExperimentConfig) -> pd.DataFrame:
    return fairness_change_table(read_predictions(Path(run)), _config.original_of)


@st.cache_resource(max_entries=64, show_spinner=False)
def trade_off_chart(
    fairness: pd.DataFrame, pooled: pd.DataFrame, across: str, down: str
) -> tuple[go.Figure, list[str]]:
    """Return the change in fairness (down) against the change in attention (across), one point a variant.

    Also the variants that have no point, since their classifier is the original itself.
    """
    attention = pooled[(pooled["metric"] == across) & (pooled["group"] == "all")].set_index("variant")
    changes = fairness[fairness["metric"] == down].set_index("variant")
    figure = go.Figure()
    names = [name for name in changes.index if name in attention.index]
    xs, ys = attention.loc[names], changes.loc[names]
    left, right = _around_zero(xs)
    lowest, highest = _around_zero(ys)
    called = list(map(variant_title, names))
    places = label_places(xs["value"], ys["value"], called, right - left, highest - lowest)
    for index, (variant, title, place) in enumerate(zip(names, called, places, strict=True)):
        x, y = attention.loc[variant], changes.loc[variant]
        figure.add_scatter(
            name=in_chart(title),
            x=[x["value"]],
            y=[y["value"]],
            mode="markers+text",
            text=[in_chart(title)],
            textposition=place,
            showlegend=False,
            marker={"size": 12, "symbol": SYMBOLS[index % len(SYMBOLS)], "color": COLOURS[index % len(COLOURS)]},
            error_x=interval_bars(attention.loc[[variant]]),
            error_y=interval_bars(changes.loc[[variant]]),
            hovertemplate=f"attention %{{x:+.3f}} [{x['low']:+z.3f}, {x['high']:+z.3f}], {x['n']} faces<br>"
            f"fairness %{{y:+.3f}} [{y['low']:+z.3f}, {y['high']:+z.3f}], {y['n']} faces<extra>{in_chart(title)}</extra>",
        )
    figure.add_hline(y=0, line_dash="dot", line_color="gray")
    figure.add_vline(x=0, line_dash="dot", line_color="gray")
    leaves = 1.0 if METRICS[across].better == "higher" else 0.0
    for x, words in ((leaves, "attention leaves the region"), (1 - leaves, "attention stays")):
        figure.add_annotation(
            x=x,
            y=0,
            xref="paper",
            yref="paper",
            xanchor="right" if x else "left",
            yanchor="bottom",
            showarrow=False,
            text=f"smaller difference,<br>{words}",
            align="right" if x else "left",
            opacity=0.7,
        )
    figure.update_layout(
        height=440,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        xaxis={"title": _axis_title(across), "range": [left, right]},
        yaxis={"title": _axis_title(down), "range": [lowest, highest]},
    )
    return figure, [str(name) for name in changes.index if name not in attention.index]


def _axis_title(name: str) -> str:
    metric = METRICS[name]
    return metric.axis.title if metric.axis else metric.title


def _around_zero(part: pd.DataFrame) -> list[float]:
    """Return a range with the intervals in it and some room on both sides of zero."""
    ends = part[["value", "low", "high"]].to_numpy(float)  # without an interval where there are fewer than two faces
    low, high = (float(bound(ends[np.isfinite(ends)], initial=0.0)) for bound in (np.min, np.max))
    room = 0.3 * (high - low) or 0.1
    return [min(low - 0.1 * room, -room), max(high + 0.1 * room, room)]
