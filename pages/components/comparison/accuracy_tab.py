"""The tab on accuracy: every number of every variant, on clean and on treated faces, in several views."""

from dataclasses import replace
from functools import partial

import streamlit as st

from pages.components.comparison.accuracy import charts_section, choose_evaluation
from pages.components.comparison.desk import Desk
from pages.components.comparison.desk_table import desk_section
from pages.components.comparison.groups import groups_section
from pages.components.comparison.mitigation_outcomes import outcomes_section
from pages.components.comparison.papers_figures import figures_section
from pages.components.comparison.pareto import pareto_section
from pages.components.comparison.prevalence import prevalence_section
from pages.components.comparison.views import show_view


@st.fragment
def accuracy_tab(desk: Desk) -> None:
    """Show the numbers; a switch redraws them alone, and not the page."""
    chosen = replace(desk, evaluations=choose_evaluation())
    show_view(
        {
            "All numbers": partial(desk_section, chosen),
            "By group": partial(groups_section, desk),
            "Groups and gap": partial(charts_section, chosen),
            "Against fairness": partial(pareto_section, desk),
            "The paper's figures": partial(figures_section, desk.audit),
            "As common as out there": partial(prevalence_section, desk.audit),
            "How mitigation ended": partial(outcomes_section, desk.audit),
        },
        "accuracy_view",
    )
