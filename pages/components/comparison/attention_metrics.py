"""What the ROI metrics say of a classifier's attention, before and after, and the tests."""

from collections.abc import Iterable
from textwrap import wrap

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from fairsal_core.faces import AnyRoi
from fairsal_core.metrics import METRICS, SaliencyMetric, SaliencyTest, directions, metrics_of, title_of, words_of
from fairsal_core.results import (
    Attention,
    about_these_networks,
    find_roi,
    measure_again,
    over_all_seeds,
    quality_note,
    shown_tests,
    shown_values,
)
from fairsal_core.settings import REGION_MAP, explainer_title, region_title, variant_title, with_titles
from pages.components.comparison.explained import Explained, faces_of
from pages.components.comparison.interval_bars import NO_BAR, interval_bars
from pages.components.comparison.stored import attention_of
from pages.components.shared.palette import COLOURS
from pages.components.shared.table_download import offer_table
from pages.components.shared.words import in_chart, plain, plain_table

_LETTERS = 17  # in a line over a panel


def measured(explained: Explained) -> pd.DataFrame:
    """Return the summaries against the region: the run's own, or measured again from the kept maps."""
    audit, choice = explained.audit, explained.region.choice
    stored = attention_of(audit.run.path)
    parts = []
    for name, attention in explained.found.items():
        own = stored[(stored["explainer"] == name) & (stored["roi"] == choice.name)]
        if len(own):
            parts.append(own)
            continue
        _, region = find_roi(choice, audit.run.path, audit.confounder, faces_of(attention, explained.faces))
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


def metrics_section(explained: Explained, table: pd.DataFrame) -> None:
    """Show every metric before and after, per group, for every explainer, with intervals; and the tests."""
    before, after, region = explained.before, explained.after, region_title(explained.region.choice.name)
    st.subheader("Relevance in the region, before and after")
    pooled = over_all_seeds(table)
    with st.container(
        key="panels"
    ):  # which a phone scrolls, and the keyboard too: there is something in it to be reached
        st.plotly_chart(
            metric_chart(pooled, before, after),
            key="attention_metrics",
            config=NO_BAR,
            alt=f"Metrics against the region: {region}; {variant_title(before)} and "
            f"{variant_title(after)}, per subgroup with 95% intervals",
        )
        offer_table(table, "These numbers", f"{explained.audit.run.id}-attention")
    counts = pooled.loc[pooled["group"] == "all", "n"]
    seeds = len(explained.audit.run.config["seeds"])
    st.caption(
        f"Region: {region}. {int(counts.max())} test faces, clean; mean and 95% interval over faces"
        + (" and seeds" if table["seed"].nunique() > 1 else (f", seed {table['seed'].min()}" if seeds > 1 else ""))
        + f". {directions([METRICS[name] for name in shown_values(pooled) if name in METRICS])}, "
        "when attention leaves the region."
    )
    if explained.region.choice.kind == REGION_MAP:
        st.caption(plain(quality_note(explained.audit.run.path, explained.audit.confounder)))
    missing = int(pooled["n_nan"].max())
    if missing:
        st.caption(
            f"Up to {missing} faces have no value (a map of zeros, or no such part in the face) and are left out."
        )
    st.table(plain_table(with_titles(tests_table(pooled))).set_index("variant"))
    questions = " ".join(f"{test.title}: {test.question}" for test in metrics_of(SaliencyTest))
    st.caption(
        f"{questions} One-sided Wilcoxon signed-rank tests over faces, at 0.01; effect: rank-biserial correlation, −1 to 1. "
        f"{about_these_networks(seeds)}"
    )


def sanity_note(found: Iterable[Attention]) -> None:
    """Say how much of the maps is left when the weights are randomised."""
    found = list(found)
    for words in dict.fromkeys(one.instead for one in found if one.instead):
        st.info(plain(words))
    lines = [plain(one.sanity) for one in found if one.sanity]
    if lines:
        st.caption(
            "Sanity check: near 1, maps show the face whatever was learned; near 0, they show what was learned.  \n"
            + "  \n".join(lines)
        )


@st.cache_resource(max_entries=64, show_spinner=False)
def metric_chart(pooled: pd.DataFrame, before: str, after: str) -> go.Figure:
    """Return one row of panels per explainer, one panel a metric, groups down, before open and after filled."""
    explainers = list(dict.fromkeys(pooled["explainer"]))
    groups = list(dict.fromkeys(pooled["group"]))
    metrics = shown_values(pooled)
    figure = make_subplots(
        rows=len(explainers),
        cols=len(metrics),
        shared_yaxes=True,
        horizontal_spacing=0.025,
        vertical_spacing=0.16 / len(explainers),
        column_titles=[_in_lines(words_of(metric)) for metric in metrics],
        row_titles=[in_chart(explainer_title(name)) for name in explainers] if len(explainers) > 1 else None,
    )
    for row, explainer in enumerate(explainers, start=1):
        for column, metric in enumerate(metrics, start=1):
            comparing = _compares(metric)
            shown = (after,) if comparing else (before, after)
            for variant in shown:
                title = in_chart(variant_title(variant))
                part = pooled[
                    (pooled["explainer"] == explainer) & (pooled["metric"] == metric) & (pooled["variant"] == variant)
                ]
                figure.add_scatter(
                    name=title,
                    legendgroup=title,
                    showlegend=row == 1 and column == 1,
                    x=part["value"],
                    y=part["group"].map(in_chart),
                    mode="markers",
                    marker={
                        "color": COLOURS[int(variant == after)],
                        "symbol": "circle" if variant == after else "circle-open",
                        "size": 9,
                        "line": {"width": 2},
                    },
                    error_x=interval_bars(part),
                    customdata=part[["low", "high", "n"]],
                    hovertemplate=f"{title_of(metric)} %{{x:.3f}}<br>95% interval %{{customdata[0]:.3f}} to "
                    f"%{{customdata[1]:.3f}}<br>%{{customdata[2]}} faces"
                    f"<extra>{title}, {in_chart(explainer_title(explainer))}</extra>",
                    row=row,
                    col=column,
                )
            if comparing:
                figure.add_vline(x=0, line_dash="dot", line_color="gray", row=row, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=[in_chart(group) for group in groups[::-1]])
    figure.update_annotations(font_size=12)
    figure.update_layout(
        height=120 + 230 * len(explainers),
        margin={"l": 8, "r": 24, "t": 70, "b": 60},
        legend={"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0},
    )
    return figure


def _in_lines(words: str) -> str:
    """Return a panel's title in lines that do not reach over the next panel's."""
    return "<br>".join(wrap(in_chart(words), _LETTERS))


def _compares(metric: str) -> bool:
    """Return whether a metric is of after against the original; others are of one classifier."""
    entry = METRICS.get(metric)
    return isinstance(entry, SaliencyMetric) and entry.needs_before


def tests_table(pooled: pd.DataFrame) -> pd.DataFrame:
    """Return one row per variant and explainer with each test over all faces in words: effect, p, n."""
    tests = shown_tests(pooled)
    over_all = pooled[(pooled["group"] == "all") & pooled["metric"].isin(tests)]
    words = over_all.assign(
        text=[
            f"effect {value:+z.2f}, p {_p_value(p)}, n = {n}: {'yes' if rejected else 'no'}"
            for value, p, n, rejected in zip(
                over_all["value"], over_all["p_value"], over_all["n"], over_all["rejected"], strict=True
            )
        ]
    )
    table = words.set_index(["variant", "explainer", "metric"])["text"].unstack("metric", sort=False)
    columns = [test for test in tests if test in table.columns]
    return table[columns].fillna("").rename(columns=words_of).reset_index().rename_axis(columns=None)


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
