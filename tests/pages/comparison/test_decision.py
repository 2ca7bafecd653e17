"""Deciding on the page: thresholds are locked, a decision is kept and told against the last."""

from streamlit.testing.v1 import AppTest

from fairsal_core.reports import Decided, locked_acceptance, read_log
from fairsal_core.runs import Run
from tests.pages.conftest import OpenPage, texts


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception


def test_thresholds_are_locked_and_reopened_with_a_reason(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Decide")
    press(app, "Lock")
    assert any("by" in error.value for error in app.error)  # nobody is nobody's agreement
    app.text_input(key="lock_by").set_value("Ada")
    app.checkbox(key="lock_blind").check()
    press(app, "Lock")
    locked = locked_acceptance(run.path)
    assert locked is not None
    assert (locked.by, locked.before_results) == ("Ada", True)
    app = open_page("comparison", run=run.id, tab="Decide")
    assert not app.number_input
    app.text_input(key="lock_by").set_value("Bo")
    app.text_input(key="lock_why").set_value("a typing error")
    press(app, "Reopen")
    assert locked_acceptance(run.path) is None


def test_a_decision_is_kept_with_its_use_and_told_against_the_last(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Decide", decide_view="Decision", candidate="balanced")
    press(app, "Keep the decision")
    assert any("purpose" in error.value or "by" in error.value for error in app.error)
    for outcome in ("more data", "reject"):
        app.text_area[0].set_value("A study, on drawn faces alone.")
        app.text_input[0].set_value("Ada")
        app.radio[0].set_value(outcome)
        press(app, "Keep the decision")
        assert any("is kept" in success.value for success in app.success)
    assert any("It was 'more data'" in info.value for info in app.info)
    assert "Balanced: reject" in texts(app)
    kept = read_log(run.path)
    assert [(entry.variant, entry.outcome) for entry in kept if isinstance(entry, Decided)] == [
        ("balanced", "more data"),
        ("balanced", "reject"),
    ]
    assert all(isinstance(entry, Decided) and not entry.locked for entry in kept)
