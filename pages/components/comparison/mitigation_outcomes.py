"""How mitigation ended: each method for each seed, and what its search saw."""

import pandas as pd
import streamlit as st

from fairsal_core.mitigation import METHODS
from fairsal_core.results import MethodOutcome, read_outcomes
from fairsal_core.settings import AUDIT, variant_title
from pages.components.comparison.audit import Audit
from pages.components.shared.told import in_one_sentence

_SIGNS = {"ok": "✓ ok", "no effect": "– no effect", "failed": "✗ failed"}


@in_one_sentence("How mitigation ended")
def outcomes_section(audit: Audit) -> None:
    """Show how each method ended for each seed, with the reason and what its search saw; a link where there is none."""
    outcomes = read_outcomes(audit.run.path)
    if not outcomes and audit.run.kind == AUDIT:
        return
    if not outcomes:
        st.page_link(
            "pages/training.py",
            label="Mitigate this run",
            icon=":material/balance:",
            query_params={"run": audit.run.id},
            help="Adds threshold, adversarial and concept-removal methods as variants, in a new run.",
        )
        return
    st.subheader("How mitigation ended")
    st.dataframe(
        outcomes_table(outcomes),
        hide_index=True,
        key="outcomes",
        column_config={"saliency": st.column_config.Column(width=180)},  # most are empty, which makes it too narrow
        alt="Outcome of every mitigation method for every seed",
    )
    st.caption(
        "A method is a variant above if it failed for no seed and was ok for one at least; where it had no effect the original "
        "stands for it. *Thresholds for each group* need each face's group to predict; "
        "their decisions are drawn, so their numbers are expectations."
    )
    with st.expander("What the searches saw on the validation faces"):
        st.dataframe(trace_table(outcomes), hide_index=True, alt="Every candidate of every search")


def outcomes_table(outcomes: list[MethodOutcome]) -> pd.DataFrame:
    """Return one row per method and seed; columns in which nothing stands are left out."""
    table = pd.DataFrame(
        [
            {
                "method": variant_title(each.variant),
                "seed": each.seed,
                "outcome": _SIGNS.get(each.outcome, each.outcome),
                "chosen": _chosen(each),
                "reason": each.reason,
                "needs": ", ".join(METHODS[each.method].needs) if each.method in METHODS else "",
                "saliency": _saliency(each),
                "seconds": round(each.seconds),
            }
            for each in outcomes
        ]
    )
    return table.loc[:, (table != "").any()]


def _saliency(outcome: MethodOutcome) -> str:
    same = outcome.method in METHODS and METHODS[outcome.method].same_saliency
    return "unchanged by construction" if same else ""


def _chosen(outcome: MethodOutcome) -> str:
    chosen = next((trial for trial in outcome.trace if trial["chosen"]), None)
    return _in_words(chosen["settings"]) if chosen else ""


def _in_words(settings: dict[str, object]) -> str:
    return ", ".join(
        (f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}").replace("_", " ")
        for name, value in settings.items()
    )


def trace_table(outcomes: list[MethodOutcome]) -> pd.DataFrame:
    """Return one row per candidate."""
    return pd.DataFrame(
        [
            {
                "method": variant_title(each.variant),
                "seed": each.seed,
                **trial,
                "settings": _in_words(trial["settings"]),
            }
            for each in outcomes
            for trial in each.trace
        ]
    )
