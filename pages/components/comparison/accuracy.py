"""Accuracy and gap of every variant, on clean and on treated test faces."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fairsal_core.faces import group_name
from fairsal_core.results import CLEAN, TREATED, accuracy_and_gap, gap_name
from pages.components.comparison.desk import Desk
from pages.components.comparison.interval_bars import NO_BAR, interval_bars
from pages.components.shared.palette import COLOURS
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import in_chart, plain

DISAGREE = 0.1
TOLD = 3


def choose_evaluation() -> tuple[str, ...]:
    """Show the choice of test faces and return the evaluations that were chosen."""
    chosen = st.segmented_control(
        "Test faces",
        ["both", CLEAN, TREATED],
        default="both",
        required=True,
        key="evaluation",
        bind="query-params",
        help="Clean: as a deployed model sees them. Treated: under the scheme's general map, as the paper mostly evaluates.",
    )
    return (CLEAN, TREATED) if chosen in ("both", None) else (str(chosen),)


@in_one_sentence("The accuracies")
def charts_section(desk: Desk) -> None:
    """Show accuracy of the two target groups and the gap as points with intervals, and what disagrees."""
    target, shown = desk.audit.target, accuracy_and_gap(desk.results)
    by_seed = accuracy_and_gap(desk.by_seed)
    told = disagreements(shown, target)
    if told:
        st.warning(
            "Clean and treated test faces tell different stories here. "
            + " ".join(told[:TOLD])
            + (f" So it is for {len(told) - TOLD} more, by less." if len(told) > TOLD else "")
            + " A network that only ever saw hidden "
            "regions may have learned the hiding itself; the clean numbers are what a deployed model would show."
        )
    left, right = st.columns(2)
    with left:
        st.plotly_chart(
            chart(shown, [group_name(target, True), group_name(target, False)], "Accuracy", by_seed),
            key="accuracy_chart",
            config=NO_BAR,
            alt="Accuracy per variant with 95% intervals; the same numbers are in the table above",
        )
    with right:
        st.plotly_chart(
            chart(shown, [gap_name(target)], f"Gap: {gap_name(target)}", by_seed, line_at=0.0),
            key="gap_chart",
            config=NO_BAR,
            alt="Gap per variant with 95% intervals; the same numbers are in the table above",
        )


@st.cache_resource(max_entries=64, show_spinner=False)
def chart(
    results: pd.DataFrame, groups: list[str], title: str, by_seed: pd.DataFrame, line_at: float | None = None
) -> go.Figure:
    """Return points with intervals, one row a variant, filled for clean and open for treated test faces.

    A variant that was tested under several schemes has a row for each of them. Small ticks are the seeds one by one;
    `line_at` draws a dotted line. The figure is shared: nobody may change it.
    """
    figure = go.Figure()
    shown = results[results["group"].isin(groups)]
    treatments = shown[shown["evaluation"] == TREATED].groupby("variant", observed=True)["treated_by"].nunique()
    several = set(treatments.index[treatments > 1])
    for group, colour in zip(groups, COLOURS, strict=False):
        for evaluation, symbol in ((CLEAN, "circle"), (TREATED, "circle-open")):
            part = shown[(shown["group"] == group) & (shown["evaluation"] == evaluation)]
            figure.add_scatter(
                name=in_chart(f"{group}, {evaluation}"),
                x=part["value"],
                y=_row_names(part, several),
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2}},
                error_x=interval_bars(part),
                customdata=part[["low", "high", "n"]],
                hovertemplate=f"{in_chart(group)}, {evaluation}: %{{x:.3f}}<br>95% interval %{{customdata[0]:.3f}} to "
                "%{customdata[1]:.3f}<br>%{customdata[2]} faces<extra>%{y}</extra>",
            )
            each = by_seed[(by_seed["group"] == group) & (by_seed["evaluation"] == evaluation)]
            figure.add_scatter(
                x=each["value"],
                y=_row_names(each, several),
                mode="markers",
                marker={"color": colour, "symbol": "line-ns-open", "size": 9, "opacity": 0.7},
                showlegend=False,
                customdata=each[["seed"]],
                hovertemplate=f"{in_chart(group)}, {evaluation}, seed %{{customdata[0]}}: %{{x:.3f}}<extra>%{{y}}</extra>",
            )
    figure.update_layout(
        title={"text": in_chart(title), "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8}},
        height=160 + 42 * len(set(_row_names(shown, several))),
        margin={"l": 8, "r": 8, "t": 40, "b": 90},
        # At the bottom, as high in every chart, so that charts side by side have their rows side by side.
        legend={"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "entrywidth": 110},
        yaxis={"autorange": "reversed"},
    )
    if line_at is not None:
        figure.add_vline(x=line_at, line_dash="dot", line_color="gray")
    return figure


def _row_names(part: pd.DataFrame, several: set[str]) -> list[str]:
    """Return the variants, those that were treated in several ways with what each row is treated by."""
    return [
        in_chart(f"{variant} under {treated_by}" if treated_by and variant in several else variant)
        for variant, treated_by in zip(part["variant"], part["treated_by"], strict=True)
    ]


def disagreements(results: pd.DataFrame, target: str) -> list[str]:
    """Return a sentence for each variant whose gap differs clearly between clean and treated test faces, the most first."""
    gaps = results[results["group"] == gap_name(target)]
    sentences: list[tuple[float, str]] = []
    for variant, part in gaps.groupby("variant", sort=False):
        clean = part.loc[part["evaluation"] == CLEAN, "value"]
        if clean.empty:
            continue
        clean = clean.iloc[0]
        treated = part[(part["evaluation"] == TREATED) & ((part["value"] - clean).abs() > DISAGREE)]
        sentences += [
            (
                abs(value - clean),
                f"**{plain(variant)}**: gap {clean:+z.2f} on clean faces, {value:+z.2f} on faces treated by {plain(treated_by)}.",
            )
            for value, treated_by in zip(treated["value"], treated["treated_by"], strict=True)
        ]
    return [sentence for _, sentence in sorted(sentences, reverse=True)]
