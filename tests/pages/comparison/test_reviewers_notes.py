"""Reviewers' notes on the page."""

from fairsal_core.reports import read_notes
from fairsal_core.runs import Run
from tests.pages.conftest import OpenPage


def test_a_note_is_kept_and_shown(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Decide", decide_view="Notes")
    app.text_area[0].set_value("Looked at the blond men.")
    app.text_input[0].set_value("Ada")
    next(button for button in app.button if button.label == "Keep the note").click()
    app.run()
    assert [note.text for note in read_notes(run.path)] == ["Looked at the blond men."]
    assert any("Looked at the blond men." in text.value for text in app.text)
