"""Locking the thresholds of a review: agreed on by whom, perhaps before any result is shown."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.reports import Agreed, Reopened, add_entry, locked_acceptance, new_entry, read_acceptance
from pages.components.comparison.audit import Audit
from pages.components.shared.words import plain


def lock_popover(audit: Audit) -> None:
    """Offer to lock the thresholds, or to reopen them and say why; both are logged."""
    run = audit.run.path
    locked = locked_acceptance(run)
    label = "Thresholds are locked" if locked else "Lock the thresholds"
    with st.popover(label, icon=":material/lock:" if locked else ":material/lock_open:"):
        if locked:
            before = ", by their word before any result was seen" if locked.before_results else ""
            st.caption(f"Agreed on by {plain(locked.by)}, {locked.written:%Y-%m-%d %H:%M} UTC{before}.")
        with st.form("lock", border=False):
            by = st.text_input("Who", max_chars=1000, key="lock_by")
            if locked:
                why = st.text_input("Why they are reopened", max_chars=4000, key="lock_why")
            else:
                blind = st.checkbox("We have seen no result yet", key="lock_blind")
            sent = st.form_submit_button("Reopen" if locked else "Lock")
    if not sent:
        return
    try:
        if locked:
            add_entry(run, new_entry(Reopened, by=by, why=why))
        else:
            add_entry(run, new_entry(Agreed, by=by, acceptance=read_acceptance(run), before_results=blind))
    except (FairsalError, OSError) as error:
        st.error(plain(error))
        return
    st.rerun()
