"""The tab where a review ends: thresholds, a decision, notes, and the report that keeps it all."""

from functools import partial

from pages.components.comparison.audit import settings_section
from pages.components.comparison.decision import decision_section
from pages.components.comparison.desk import Desk
from pages.components.comparison.report import report_section
from pages.components.comparison.reviewers_notes import notes_section
from pages.components.comparison.verdicts import verdicts_section
from pages.components.comparison.views import show_view


def decide_tab(desk: Desk) -> None:
    """Show what was demanded and met, and let the reviewers say what follows from it."""
    show_view(
        {
            "Thresholds": partial(verdicts_section, desk),
            "Decision": partial(decision_section, desk),
            "Notes": partial(notes_section, desk),
            "Report": partial(_report, desk),
        },
        "decide_view",
    )


def _report(desk: Desk) -> None:
    report_section(desk)
    settings_section(desk.audit)
