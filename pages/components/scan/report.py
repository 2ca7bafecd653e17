"""Putting the scan into the run's report."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.scan import KeptScan, forget_scan, keep_scan, kept_scan
from pages.components.scan.view import View, scanned
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


@in_one_sentence("The report")
def report_section(view: View) -> None:
    """Offer to put what is shown into the report of the run, or to take it out."""
    there = kept_scan(view.run.path)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Put into the report", icon=":material/description:"):
            try:
                content = KeptScan.of(view.judged, scanned(view.key, 1, view), view.cohort)
                keep_scan(view.run.path, content)
            except (FairsalError, OSError) as error:
                st.error(plain(error))
                return
            st.success("The run's report has this scan now.")
        elif there is not None:
            st.caption(f"The report has the scan of {plain(there.subject)}, {there.faces:,} faces.")
            if st.button("Take it out"):
                forget_scan(view.run.path)
                st.rerun()
