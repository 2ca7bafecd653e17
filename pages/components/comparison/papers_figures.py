"""The paper's two figures: the schemes side by side at one quantile, and one scheme over its quantiles."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from plotly.subplots import make_subplots

from fairsal_core.errors import FairsalError
from fairsal_core.faces import group_name
from fairsal_core.results import CLEAN, TREATED, gap_name
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings import BALANCED, ORIGINAL, ExperimentConfig, SchemeChoice, parse_config, variant_title
from pages.components.comparison.audit import Audit
from pages.components.comparison.interval_bars import NO_BAR
from pages.components.shared.palette import COLOURS
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import in_chart

Numbers = Mapping[tuple[str, str, str, str], Mapping[str, float]]  # variant, evaluation, treated by, group


@st.fragment
@in_one_sentence("The paper's figures")
def figures_section(audit: Audit) -> None:
    """Show the paper's figures of a run, on the test faces that the reader chooses; nothing without schemes."""
    numbers = _numbers(audit)
    config = _config_of(audit, numbers)
    if config is None or not config.schemes:
        return
    st.subheader("The paper's figures")
    columns = st.columns(3)
    evaluation = columns[0].segmented_control(
        "Schemes are tested on",
        [CLEAN, TREATED],
        default=CLEAN,
        required=True,
        format_func="{} faces".format,
        key="figure_evaluation",
        help="Original and balanced are tested on clean faces, as in the paper.",
    )
    quantiles = sorted({choice.quantile for choice in config.schemes})
    quantile = columns[1].selectbox("Schemes at quantile", quantiles, key="figure_quantile")
    st.plotly_chart(
        schemes_figure(config, numbers, float(quantile), str(evaluation)),
        key="figure_schemes",
        config=NO_BAR,
        alt=f"Accuracy of each target group and gap for each scheme at quantile {quantile:g}, {evaluation} faces",
    )
    several = config.several_quantiles
    if not several:
        st.caption("A scheme that is trained at several quantiles is drawn over them here.")
        return
    kind = columns[2].selectbox("Quantiles of", list(several), format_func=_kind_title, key="figure_scheme")
    st.plotly_chart(
        quantiles_figure(config, numbers, several[str(kind)], str(evaluation)),
        key="figure_quantiles",
        config=NO_BAR,
        alt=f"Accuracy and gap of {_kind_title(str(kind))} over its quantiles, {evaluation} faces; dotted: original",
    )


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={ExperimentConfig: ExperimentConfig.model_dump_json})
def schemes_figure(config: ExperimentConfig, numbers: Numbers, quantile: float, evaluation: str) -> go.Figure:
    """Return accuracy (all and both target groups) and the gap of original, balanced and every scheme at a quantile."""
    rows = [(name, (name, CLEAN, "")) for name in (ORIGINAL, BALANCED) if (name, CLEAN, "", "all") in numbers]
    rows += [(choice.name, key_of(choice, evaluation)) for choice in config.schemes if choice.quantile == quantile]
    figure = _two_panels(config.target)
    for panel, group, colour in _series(config.target):
        part = [numbers[(*key, group)] for _, key in rows]
        _add(figure, panel, [variant_title(name) for name, _ in rows], part, group, colour, mode="markers")
    return figure


def quantiles_figure(
    config: ExperimentConfig, numbers: Numbers, choices: Sequence[SchemeChoice], evaluation: str
) -> go.Figure:
    """Return accuracy and gap over the quantiles of one scheme, with dotted lines for the original trained as long."""
    ordered = sorted(choices, key=lambda choice: choice.quantile)
    original = (config.original_of(ordered[0].name), CLEAN, "")
    figure = _two_panels(config.target)
    for panel, group, colour in _series(config.target):
        part = [numbers[(*key_of(choice, evaluation), group)] for choice in ordered]
        _add(figure, panel, [choice.quantile for choice in ordered], part, group, colour, mode="lines+markers")
        figure.add_hline(y=numbers[(*original, group)]["value"], line_dash="dot", line_color=colour, row=1, col=panel)
    figure.update_xaxes(title_text="quantile")
    return figure


def key_of(choice: SchemeChoice, evaluation: str) -> tuple[str, str, str]:
    """Return variant, evaluation and what it is treated by."""
    return choice.name, evaluation, choice.general.name if evaluation == TREATED else ""


def _config_of(audit: Audit, numbers: Numbers) -> ExperimentConfig | None:
    """Return the run's settings with the schemes that it has results of; None for those of another version."""
    with suppress(FairsalError):
        config = parse_config(dict(audit.run.config))
        there = [choice for choice in config.schemes if (choice.name, CLEAN, "", "all") in numbers]
        return config.model_copy(update={"schemes": tuple(there)})
    return None


def _kind_title(kind: str) -> str:
    """Return what to call a scheme with its options, whatever its quantile."""
    scheme, *options = kind.split(",")
    return ", ".join([SCHEMES.title(scheme), *options])


def _numbers(audit: Audit) -> Numbers:
    """Return value, low and high by variant, evaluation, treatment and group."""
    keys = ["variant", "evaluation", "treated_by", "group"]
    keyed: Any = audit.pooled.set_index(keys)[["value", "low", "high"]].to_dict("index")
    return dict(keyed)


def _series(target: str) -> list[tuple[int, str, str]]:
    groups = ("all", group_name(target, True), group_name(target, False), gap_name(target))
    return [(1 + (group == groups[-1]), group, colour) for group, colour in zip(groups, COLOURS, strict=False)]


def _two_panels(target: str) -> go.Figure:
    figure = make_subplots(rows=1, cols=2, subplot_titles=("Accuracy", f"Gap: {in_chart(gap_name(target))}"))
    figure.add_hline(y=0, line_color="gray", line_width=1, row=1, col=2)
    return figure.update_layout(
        height=380,
        margin={"l": 8, "r": 8, "t": 60, "b": 8},
        legend={"orientation": "h", "y": 1.1, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )


def _add(
    figure: go.Figure,
    panel: int,
    x: Sequence[str] | Sequence[float],
    part: Sequence[Mapping[str, float]],
    group: str,
    colour: str,
    *,
    mode: str,
) -> None:
    figure.add_scatter(
        name="accuracy, all" if group == "all" else in_chart(group),
        x=[in_chart(one) if isinstance(one, str) else one for one in x],
        y=[one["value"] for one in part],
        mode=mode,
        marker={"color": colour, "size": 10},
        line={"color": colour},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [one["high"] - one["value"] for one in part],
            "arrayminus": [one["value"] - one["low"] for one in part],
        },
        hovertemplate=f"{in_chart(group)}: %{{y:.3f}}<extra>%{{x}}</extra>",
        row=1,
        col=panel,
    )
