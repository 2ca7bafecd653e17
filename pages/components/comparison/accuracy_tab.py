"""The tab on accuracy: every number of every variant, on clean and on treated faces, in several views."""

from collections.abc import Callable
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
    show_view(
        {
            "All numbers": partial(_on_chosen_faces, desk_section, desk),
            "By group": partial(groups_section, desk),
            "Groups and gap": partial(_on_chosen_faces, charts_section, desk),
            "Against fairness": partial(pareto_section, desk),
            "The paper's figures": partial(figures_section, desk.audit),
            "As common as out there": partial(prevalence_section, desk.audit),
            "How mitigation ended": partial(outcomes_section, desk.audit),
        },
        "accuracy_view",
    )


def _on_chosen_faces(section: Callable[[Desk], None], desk: Desk) -> None:
    section(replace(desk, evaluations=choose_evaluation()))
