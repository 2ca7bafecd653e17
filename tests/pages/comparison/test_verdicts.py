"""Acceptance thresholds on the page."""

from fairsal_core.reports import Acceptance, read_acceptance
from fairsal_core.results import read_predictions
from fairsal_core.runs import Run
from fairsal_core.scan import groups_by_variant, keep_groups, labels_in
from tests.pages.conftest import OpenPage


def test_thresholds_stay_with_the_run(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Decide")
    verdicts = app.dataframe[0].value
    assert verdicts.set_index(["variant", "test faces"])["verdict"][("Original", "clean")] == "✗ fail"
    app.number_input(key=f"gap_at_most-{run.id}").set_value(0.95).run()
    assert read_acceptance(run.path) == Acceptance(limits={"gap": 0.95, "worst_cell": 0.6})
    assert "|gap| at most 0.95" in app.dataframe[0].value.columns


def test_groups_that_were_put_into_the_report_are_judged_too(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Decide")
    before = app.dataframe[0].value
    predictions = read_predictions(run.path)
    faces = labels_in(predictions, "Blond_Hair", "memory")
    keep_groups(run.path, groups_by_variant(predictions, "Male", faces, ["Blond_Hair"], "original"))
    after = open_page("comparison", run=run.id, tab="Decide").dataframe[0].value
    added = [name for name in after.columns if name not in before.columns]
    assert added == ["worst cell by Blond_Hair at least 0.6"]
    assert after[added[0]].str.contains("men with Blond_Hair").any() and after[added[0]].notna().all()
