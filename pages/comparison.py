"""Comparison: accuracy of every variant for every subgroup, on clean and on treated test faces.

Each section is one function of a file in `components/`; a new one is one import and one call.
"""

import streamlit as st

from pages.components.accuracy import cells_section, choose_evaluation, summary_section
from pages.components.audit import Audit, choose_audit
from pages.components.frame import inside_app
from pages.components.notes import label_note


def caption(audit: Audit) -> None:
    """Say in one line what is compared, on how many faces, over how many seeds."""
    seeds = audit.run.config["seeds"]
    st.caption(
        f"{audit.target} × {audit.confounder} · {len(seeds)} seed{'s' if len(seeds) > 1 else ''} · "
        f"{audit.pooled['n'].max():,} test faces in equal cells · training subset φ = {audit.subsets['phi']:+.2f} · "
        "95% intervals over faces" + (" and seeds" if len(seeds) > 1 else "")
    )


def take_away(audit: Audit) -> None:
    """Offer the results as a file, and show the run's settings."""
    st.download_button(
        "Download all results (CSV)",
        audit.results.to_csv(index=False),
        file_name=f"{audit.run.id}-results.csv",
        mime="text/csv",
    )
    with st.expander("Settings and training faces of this run"):
        st.json({"config": dict(audit.run.config), "subsets": dict(audit.subsets)}, expanded=1)


inside_app()

st.title("Before and after, for each subgroup")

audit = choose_audit()
caption(audit)
evaluations = choose_evaluation()
summary_section(audit, evaluations)
cells_section(audit, evaluations)
take_away(audit)
label_note(str(audit.run.config["data"]))
