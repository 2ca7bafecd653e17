"""Acceptance thresholds: what the review demands, and which variants meet it."""

import math

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import Metric, words_of
from fairsal_core.reports import (
    Acceptance,
    Judged,
    Judgement,
    judgements,
    locked_acceptance,
    offered_criteria,
    read_acceptance,
    save_acceptance,
)
from fairsal_core.results import CLEAN
from fairsal_core.scan import KeptGroups, kept_groups
from pages.components.comparison.desk import Desk
from pages.components.comparison.lock import lock_popover
from pages.components.shared.rows import in_rows
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

SIGNS = {"pass": "✓", "fail": "✗", "too few images to say": "?", "not measured": "–"}


@st.fragment
@in_one_sentence("Acceptance")
def verdicts_section(desk: Desk) -> None:
    """Let the reviewer set thresholds, and mark every variant on the desk."""
    st.subheader("Acceptance")
    st.caption(
        "A variant passes, or fails, only if its whole 95% interval lies on one side of the limit; otherwise there are too few "
        "images to say. Groups that were put into the report are judged too. The thresholds are kept with the run and go into its "
        "report. No verdict proves that a model is fair."
    )
    run = desk.audit.run.path
    kept = read_acceptance(run)
    locked = locked_acceptance(run) is not None
    wanted = kept if locked else _choose(kept, desk.audit.run.id)
    if locked:
        st.markdown(" · ".join(f"{plain(words_of(name))}: **{limit:g}**" for name, limit in kept.limits.items()))
    lock_popover(desk.audit)
    if wanted != kept:
        try:
            save_acceptance(run, wanted)
        except (FairsalError, OSError) as error:
            st.warning(f"The thresholds could not be kept with the run: {plain(error)}")
    judged = judgements(desk.results, wanted, desk.attention, _groups_on(desk))
    clean = [one for one in judged if one.evaluation == CLEAN]  # what a deployed classifier meets
    st.dataframe(
        verdict_table(judged if st.session_state.get("verdicts_treated") else clean),
        hide_index=True,
        key="verdicts",
        column_config={"variant": st.column_config.Column(pinned=True)},
        alt="Verdict for each variant and the criteria it rests on",
    )
    st.checkbox("On treated faces too", key="verdicts_treated")


def _groups_on(desk: Desk) -> list[KeptGroups]:
    """Return the groups that were put into the report of each variant's run, the variants called as on the desk."""
    return [
        groups.model_copy(update={"variant": entry.label})
        for entry in desk.entries
        for groups in kept_groups(entry.audit.run.path)
        if entry.variant in (groups.variant, groups.subject)
    ]


def _choose(kept: Acceptance, run: str) -> Acceptance:
    """Show a limit for each metric that offers one; those that were kept of others stay."""
    offered = offered_criteria()
    limits = {name: limit for name, limit in kept.limits.items() if name not in {metric.name for metric in offered}}
    for column, metric in in_rows(offered, 3):
        with column:
            limit = _limit(metric, kept.limits.get(metric.name), run)
        if limit is not None:
            limits[metric.name] = limit
    return Acceptance(limits=limits)


def _limit(metric: Metric, kept: float | None, run: str) -> float | None:
    low, high = (limit if math.isfinite(limit) else None for limit in metric.limits)
    return st.number_input(
        f"{metric.in_words[:1].upper()}{metric.in_words[1:]} {metric.bound}",
        low,
        high,
        value=kept,
        step=0.05,
        key=f"{metric.name}_{str(metric.bound).replace(' ', '_')}-{run}",
        placeholder="not asked for",
        help=f"{metric.criterion.meaning if metric.criterion else metric.description} Empty: not asked for.",
    )


def verdict_table(judged: list[Judgement]) -> pd.DataFrame:
    """Return one row per variant and evaluation: the verdict, and what it rests on."""
    return pd.DataFrame(
        [
            {
                "variant": item.variant,
                "test faces": f"{item.evaluation} by {item.treated_by}" if item.treated_by else item.evaluation,
                "verdict": f"{SIGNS[item.verdict]} {item.verdict}",
                **{_title(one): _in_words(one) for one in item.criteria},
            }
            for item in judged
        ]
    )


def _title(one: Judged) -> str:
    return " ".join(filter(None, (one.title, one.bound, f"{one.limit:g}")))


def _in_words(one: Judged) -> str:
    if not one.n:
        return f"{SIGNS[one.verdict]} {one.verdict}"
    number = f"{SIGNS[one.verdict]} {one.value:.2f} [{one.interval.low:.2f}, {one.interval.high:.2f}], n = {one.n}"
    return f"{number}, {one.about}" if one.about else number
