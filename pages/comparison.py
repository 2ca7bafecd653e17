"""Comparison: a desk to review variants on, from their numbers to the faces behind them.

Each section is one function of a file in `components/`; a new one is one import and one call.
"""

import streamlit as st

from pages.components.accuracy import charts_section, choose_evaluation, worst_section
from pages.components.attention import attention_sections
from pages.components.audit import Audit, choose_audit
from pages.components.desk import choose_desk, desk_section
from pages.components.figures import figures_section
from pages.components.frame import inside_app
from pages.components.gallery import gallery_section
from pages.components.mitigation import outcomes_section, pareto_section
from pages.components.notes import label_note
from pages.components.prevalence import prevalence_section
from pages.components.review import notes_section, report_section
from pages.components.tour import tour_bar
from pages.components.verdicts import verdicts_section


def caption(audit: Audit) -> None:
    """Say in one line what is compared, on how many faces, over how many seeds."""
    seeds = audit.run.config["seeds"]
    st.caption(
        f"{audit.target} × {audit.confounder} · {len(seeds)} seed{'s' if len(seeds) > 1 else ''} · "
        f"{audit.pooled['n'].max():,} test faces in equal cells · training subset φ = {audit.subsets['phi']:+.2f} · "
        "95% intervals over faces" + (" and seeds" if len(seeds) > 1 else "")
    )


inside_app()

st.title("Before and after, for each subgroup")
tour_bar()

audit = choose_audit()
caption(audit)
evaluations = choose_evaluation()
desk = choose_desk(audit, evaluations)
desk_section(desk)
worst_section(desk)
charts_section(desk)
pareto_section(desk)
outcomes_section(audit)
prevalence_section(audit)
figures_section(audit)
verdicts_section(desk)
attention_sections(audit)
gallery_section(desk)
notes_section(desk)
report_section(desk)
with st.expander("Settings and training faces of this run"):
    st.json({"config": dict(audit.run.config), "subsets": dict(audit.subsets)}, expanded=1)
label_note(str(audit.run.config["data"]))
