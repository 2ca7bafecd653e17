"""The decision: what it is for, what follows, who says so and who does not, and what became of the last one."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.reports import (
    OUTCOMES,
    Decided,
    add_entry,
    in_a_sentence,
    judgements,
    last_review,
    locked_acceptance,
    new_entry,
    read_acceptance,
    read_log,
    since_last_review,
    subject_digest,
    what_would_change,
)
from fairsal_core.results import CLEAN
from fairsal_core.scan import kept_groups
from pages.components.comparison.desk import Desk, Entry
from pages.components.comparison.stored import attention_if_readable
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain, told_variant


@st.fragment
@in_one_sentence("The decision")
def decision_section(desk: Desk) -> None:
    """Ask for a decision about the candidate, and show those that were made."""
    entry = desk.candidate or desk.reference
    st.subheader("Decision")
    _open_questions(entry)
    with st.form("decision", border=True):
        purpose = st.text_area(
            "What is it to be used for, and may it be used for that at all?",
            max_chars=4000,
            height=68,
            placeholder="Made for …, to be used for …; allowed, because …",
        )
        outcome = st.radio(f"{plain(entry.label)}:", OUTCOMES, index=len(OUTCOMES) - 1, horizontal=True)
        left, right = st.columns(2)
        conditions = left.text_area("Conditions, if any", max_chars=4000, height=68)
        dissent = right.text_area("Dissent: who, and why", max_chars=4000, height=68)
        by = left.text_input("Decided by", max_chars=1000)
        why = right.text_input("Why", max_chars=4000)
        sent = st.form_submit_button("Keep the decision", icon=":material/gavel:")
    if sent:
        _keep(
            desk,
            entry,
            {
                "by": by,
                "purpose": purpose,
                "outcome": outcome,
                "conditions": conditions,
                "dissent": dissent,
                "why": why,
            },
        )
    _log(desk)


def _open_questions(entry: Entry) -> None:
    audit = entry.audit
    lacking = what_would_change(audit.results, read_acceptance(audit.run.path), entry.variant)
    if lacking:
        st.markdown(
            "**What would change the verdict**\n" + "\n".join(f"- {plain(in_a_sentence(one))}" for one in lacking)
        )


def _keep(desk: Desk, entry: Entry, said: dict[str, str]) -> None:
    """Keep a decision with the run that the variant is of, and say what differs from the last review."""
    run = entry.audit.run.path
    acceptance = read_acceptance(run)
    of_run = entry.audit.results[entry.audit.results["variant"] == entry.variant]
    found = judgements(of_run, acceptance, attention_if_readable(run), kept_groups(run))
    judged = [one for one in found if one.evaluation == CLEAN]
    try:
        subject = subject_digest(run, entry.variant)
        before = last_review(run, entry.variant, subject)
        now = new_entry(
            Decided,
            **said,
            variant=entry.variant,
            reference=desk.reference.name,
            acceptance=acceptance,
            locked=locked_acceptance(run) is not None,
            verdict=judged[0].verdict if judged else "not measured",
            subject=subject,
        )
        add_entry(run, now)
    except (FairsalError, OSError) as error:
        st.error(plain(error))
        return
    st.success("The decision is kept, and goes into the report.")
    if before is not None:
        differs = since_last_review(before, now)
        st.info(
            f"Since the last review, of {before.written:%Y-%m-%d}: " + plain(" ".join(differs) or "nothing differs.")
        )


def _log(desk: Desk) -> None:
    entries = [entry for entry in read_log(desk.audit.run.path) if isinstance(entry, Decided)]
    for entry in reversed(entries):
        with st.container(border=True):
            st.markdown(f"**{told_variant(entry.variant)}: {entry.outcome}**")
            for title, text in (("For", entry.purpose), ("Conditions", entry.conditions), ("Dissent", entry.dissent)):
                if text:
                    st.text(f"{title}: {text}")
            st.caption(f"{plain(entry.by)} · {entry.written:%Y-%m-%d %H:%M} UTC · verdict then: {entry.verdict}")
    if not entries:
        st.caption("Nothing was decided yet. Decisions are added, and none is ever changed.")
