"""Acceptance thresholds on the page."""

from fairsal_core.reports import Acceptance, read_acceptance
from fairsal_core.runs import Run
from tests.pages.conftest import OpenPage


def test_thresholds_stay_with_the_run(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Decide")
    verdicts = app.dataframe[0].value
    assert verdicts.set_index(["variant", "test faces"])["verdict"][("Original", "clean")] == "✗ fail"
    app.number_input(key=f"gap_at_most-{run.id}").set_value(0.95).run()
    assert read_acceptance(run.path) == Acceptance(limits={"gap": 0.95, "worst_cell": 0.6})
    assert "|gap| at most 0.95" in app.dataframe[0].value.columns
