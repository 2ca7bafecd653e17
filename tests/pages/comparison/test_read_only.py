"""Runs that were not made here, or cannot be known to be, are marked, and nothing is added to them."""

import pytest

from fairsal_core.files import write_json
from fairsal_core.reports import read_notes
from fairsal_core.runs import Run, RunFiles, seal_run
from tests.pages.conftest import OpenPage


def test_a_run_made_here_is_not_marked(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id)
    assert not app.exception
    assert not [
        warning for warning in app.warning if "was not made here" in warning.value or "not verified" in warning.value
    ]


@pytest.mark.parametrize(
    ("foreign", "said"),
    [(True, "This run was not made here."), (False, "This run is not verified: it has no manifest")],
)
def test_others_are_marked_and_read_only(open_page: OpenPage, run: Run, foreign: bool, said: str) -> None:
    if foreign:
        (run.path.parents[1] / "keys" / "runs.key").write_bytes(b"x" * 32)
    else:
        RunFiles(run.path).manifest.unlink()
    app = open_page("comparison", run=run.id, tab="Decide", decide_view="Notes")
    assert not app.exception
    assert any(warning.value.startswith(said) for warning in app.warning)
    app.text_area[0].set_value("A note")
    next(button for button in app.button if button.label == "Keep the note").click()
    app.run()
    assert any("it can be read, and nothing is added to it" in error.value for error in app.error)
    assert read_notes(run.path) == []


def test_a_damaged_run_is_one_sentence_and_never_other_numbers(open_page: OpenPage, run: Run) -> None:
    file = RunFiles(run.path).results
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    app = open_page("comparison", run=run.id)
    assert not app.exception
    assert "is damaged, or was changed after it finished" in app.error[0].value
    assert not app.dataframe


@pytest.mark.parametrize("name", ["manifest.json", "versions.json"])
def test_damage_after_the_results_were_read_is_one_sentence(open_page: OpenPage, run: Run, name: str) -> None:
    write_json(RunFiles(run.path).versions, {"fairsal": "9.9.9"})
    seal_run(run.path)
    assert not open_page("comparison", run=run.id, tab="Decide", decide_view="Report").error
    file = run.path / name
    file.write_text(file.read_text().replace("9", "8"))
    app = open_page("comparison", run=run.id, tab="Decide", decide_view="Report")
    assert not app.exception
    assert any("is damaged" in error.value for error in app.error)
