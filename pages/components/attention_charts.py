"""Charts and tables of attention: metrics before and after, tests, and the trade-off with fairness."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from pages.components.accuracy import PALETTE
from pages.components.curves import COLOURS
from pages.components.labels import label_places

METRICS = {"rrf": "RRF", "hrf": "HRF", "mrr": "MRR", "adr": "ADR", "dif": "DIF"}
COMPARING = ("adr", "dif")  # of after against the original; the others are of one classifier
AXES = {
    "rrf_change": "change in RRF, after − before",
    "adr": "ADR, mean fall of magnitude in the region",
    "gap": "change in the gap's size",
    "equalized_odds_difference": "change in the equalized odds difference",
}
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon")


@st.cache_resource(max_entries=64, show_spinner=False)
def metric_chart(pooled: pd.DataFrame, before: str, after: str) -> go.Figure:
    """Return one row of panels per explainer, one panel a metric, groups down, before open and after filled."""
    explainers = list(dict.fromkeys(pooled["explainer"]))
    groups = list(dict.fromkeys(pooled["group"]))
    figure = make_subplots(
        rows=len(explainers),
        cols=len(METRICS),
        shared_yaxes=True,
        horizontal_spacing=0.025,
        vertical_spacing=0.16 / len(explainers),
        column_titles=list(METRICS.values()),
        row_titles=explainers if len(explainers) > 1 else None,
    )
    for row, explainer in enumerate(explainers, start=1):
        for column, metric in enumerate(METRICS, start=1):
            shown = (after,) if metric in COMPARING else (before, after)
            for variant in shown:
                part = pooled[
                    (pooled["explainer"] == explainer) & (pooled["metric"] == metric) & (pooled["variant"] == variant)
                ]
                figure.add_scatter(
                    name=variant,
                    legendgroup=variant,
                    showlegend=row == 1 and column == 1,
                    x=part["value"],
                    y=part["group"],
                    mode="markers",
                    marker={
                        "color": PALETTE[int(variant == after)],
                        "symbol": "circle" if variant == after else "circle-open",
                        "size": 9,
                        "line": {"width": 2},
                    },
                    error_x=_bars(part),
                    customdata=part[["low", "high", "n"]],
                    hovertemplate=f"{METRICS[metric]} %{{x:.3f}}<br>95% interval %{{customdata[0]:.3f}} to "
                    f"%{{customdata[1]:.3f}}<br>%{{customdata[2]}} faces<extra>{variant}, {explainer}</extra>",
                    row=row,
                    col=column,
                )
            if metric in COMPARING:
                figure.add_vline(x=0, line_dash="dot", line_color="gray", row=row, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=groups[::-1])
    figure.update_layout(
        height=90 + 250 * len(explainers),
        margin={"l": 8, "r": 24, "t": 70, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yref": "container", "yanchor": "top", "x": 0},
    )
    return figure


def tests_table(pooled: pd.DataFrame, metrics: tuple[str, ...] = ("rddt", "det")) -> pd.DataFrame:
    """Return one row per variant and explainer with each test over all faces in words: effect, p, n."""
    over_all = pooled[(pooled["group"] == "all") & pooled["metric"].isin(metrics)]
    words = over_all.assign(
        text=[
            f"effect {value:+z.2f}, p {_p_value(p)}, n = {n}: {'yes' if rejected else 'no'}"
            for value, p, n, rejected in zip(
                over_all["value"], over_all["p_value"], over_all["n"], over_all["rejected"], strict=True
            )
        ]
    )
    table = words.set_index(["variant", "explainer", "metric"])["text"].unstack("metric", sort=False)
    columns = [metric for metric in metrics if metric in table.columns]
    return table[columns].fillna("").rename(columns=str.upper).reset_index().rename_axis(columns=None)


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
    places = label_places(xs["value"], ys["value"], names, right - left, highest - lowest)
    for index, (variant, place) in enumerate(zip(names, places, strict=True)):
        x, y = attention.loc[variant], changes.loc[variant]
        figure.add_scatter(
            name=str(variant),
            x=[x["value"]],
            y=[y["value"]],
            mode="markers+text",
            text=[str(variant)],
            textposition=place,
            showlegend=False,
            marker={"size": 12, "symbol": SYMBOLS[index % len(SYMBOLS)], "color": COLOURS[index % len(COLOURS)]},
            error_x=_bars(attention.loc[[variant]]),
            error_y=_bars(changes.loc[[variant]]),
            hovertemplate=f"attention %{{x:+.3f}} [{x['low']:+z.3f}, {x['high']:+z.3f}], {x['n']} faces<br>"
            f"fairness %{{y:+.3f}} [{y['low']:+z.3f}, {y['high']:+z.3f}], {y['n']} faces<extra>{variant}</extra>",
        )
    figure.add_hline(y=0, line_dash="dot", line_color="gray")
    figure.add_vline(x=0, line_dash="dot", line_color="gray")
    leaves = 1.0 if across == "adr" else 0.0
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
        xaxis={"title": AXES[across], "range": [left, right]},
        yaxis={"title": AXES[down], "range": [lowest, highest]},
    )
    return figure, [str(name) for name in changes.index if name not in attention.index]


def _around_zero(part: pd.DataFrame) -> list[float]:
    """Return a range with the intervals in it and some room on both sides of zero."""
    ends = part[["value", "low", "high"]].to_numpy(float)  # without an interval where there are fewer than two faces
    low, high = (float(bound(ends[np.isfinite(ends)], initial=0.0)) for bound in (np.min, np.max))
    room = 0.3 * (high - low) or 0.1
    return [min(low - 0.1 * room, -room), max(high + 0.1 * room, room)]


def _bars(part: pd.DataFrame) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": (part["high"] - part["value"]).to_numpy(),
        "arrayminus": (part["value"] - part["low"]).to_numpy(),
        "thickness": 1.5,
    }


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
