"""What a sweep has so far: its trials, and its one table."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.results import papers_format
from fairsal_core.runs import Run
from fairsal_core.scaling import read_sweep
from pages.components.shared.table_download import offer_table


def show_sweep(run: Run) -> None:
    """Show the trials of a sweep and, when it has ended, its table."""
    try:
        trials, table, quantiles = read_sweep(run.path)
    except FairsalError:  # it has not planned them yet
        return
    st.dataframe([vars(trial) for trial in trials], hide_index=True, key=f"trials-{run.id}")
    if table.empty:
        return
    st.markdown("**In the paper's format** · ours [95% interval over seeds and faces] (published)")
    st.dataframe(papers_format(table), hide_index=True, key=f"table-{run.id}")
    st.caption(
        "`authors` marks how the authors' code evaluates each scheme: treated faces, but clean ones for specific_mask. "
        "Deltas are paired differences to the original on the same faces and seeds."
    )
    if not quantiles.empty:
        st.markdown("**Best quantile** · chosen on validation faces and, as the paper does, on the test faces")
        st.dataframe(quantiles.round(3), hide_index=True, key=f"quantiles-{run.id}")
    offer_table(table, "Download the table", run.id)
