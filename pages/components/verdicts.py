"""Acceptance thresholds: what the review demands, and which variants meet it."""

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.reports import Acceptance, Judged, Judgement, judgements, read_acceptance, save_acceptance
from pages.components.desk import Desk
from pages.components.words import plain

SIGNS = {"pass": "✓", "fail": "✗", "too few images to say": "?", "not measured": "–"}
_CRITERIA = {
    "gap_at_most": ("Gap at most", "Size of the gap in accuracy between the two target groups."),
    "worst_cell_at_least": ("Worst cell at least", "Accuracy of every one of the four cells."),
    "rrf_at_most": ("RRF at most", "Share of the relevance inside the region of interest, where it was measured."),
}


@st.fragment
def verdicts_section(desk: Desk) -> None:
    """Let the reviewer set thresholds, and mark every variant on the desk."""
    st.subheader("Acceptance")
    st.caption(
        "A variant passes, or fails, only if its whole 95% interval lies on one side of the limit; otherwise there are too few "
        "images to say. The thresholds are kept with the run and go into its report. No verdict proves that a model is fair."
    )
    kept = read_acceptance(desk.audit.run.path)
    wanted = _choose(kept, desk.audit.run.id)
    if wanted != kept:
        try:
            save_acceptance(desk.audit.run.path, wanted)
        except (FairsalError, OSError) as error:
            st.warning(f"The thresholds could not be kept with the run: {plain(error)}")
    st.dataframe(
        verdict_table(judgements(desk.results, wanted, desk.attention)),
        hide_index=True,
        key="verdicts",
        column_config={"variant": st.column_config.Column(pinned=True)},
        alt="Verdict for each variant and the criteria it rests on",
    )


def _choose(kept: Acceptance, run: str) -> Acceptance:
    values: dict[str, float | None] = {}
    columns = st.columns(len(_CRITERIA))
    for column, (field, (title, meaning)) in zip(columns, _CRITERIA.items(), strict=True):
        with column:
            limit = getattr(kept, field)
            values[field] = st.number_input(
                title,
                0.0,
                1.0,
                value=limit,
                step=0.05,
                key=f"{field}-{run}",
                placeholder="not asked for",
                help=f"{meaning} Empty: not asked for.",
            )
    return Acceptance(**values)


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
    bound = "at least" if one.criterion.startswith("worst") else "at most"
    return f"{one.criterion.partition(' (')[0]} {bound} {one.limit:g}"


def _in_words(one: Judged) -> str:
    if not one.n:
        return f"{SIGNS[one.verdict]} {one.verdict}"
    which = one.criterion.partition(" (")[2].removesuffix(")")
    number = f"{SIGNS[one.verdict]} {one.value:.2f} [{one.interval.low:.2f}, {one.interval.high:.2f}], n = {one.n}"
    return f"{number}, {which}" if which else number
