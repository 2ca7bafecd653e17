"""Reviewers' notes and thresholds stay with the run."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.reports import Acceptance, add_note, read_acceptance, read_notes, save_acceptance


def test_notes_are_kept_in_order(tmp_path: Path) -> None:
    add_note(tmp_path, "  first \nsecond line ", "Ada", about="original")
    add_note(tmp_path, "<b>second</b>")
    first, second = read_notes(tmp_path)
    assert (first.text, first.author, first.about) == ("first \nsecond line", "Ada", "original")
    assert second.text == "<b>second</b>"
    assert first.written <= second.written


def test_notes_written_at_once_are_all_kept(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: add_note(tmp_path, f"note {number}"), range(40)))
    assert {note.text for note in read_notes(tmp_path)} == {f"note {number}" for number in range(40)}


def test_a_damaged_note_is_passed_over(tmp_path: Path) -> None:
    add_note(tmp_path, "whole")
    (tmp_path / "notes" / "20260101-000000-000000-aaaa.json").write_text('{"text": "ha')
    assert [note.text for note in read_notes(tmp_path)] == ["whole"]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 4001])
def test_a_note_that_does_not_fit_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(FairsalError, match="note"):
        add_note(tmp_path, text)
    assert read_notes(tmp_path) == []


def test_no_note_makes_a_run_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FairsalError, match="no run"):
        add_note(tmp_path / "gone", "text")
    with pytest.raises(FairsalError, match="no run"):
        save_acceptance(tmp_path / "gone", Acceptance())
    assert not (tmp_path / "gone").exists()


def test_thresholds_come_back_and_begin_with_the_defaults(tmp_path: Path) -> None:
    assert read_acceptance(tmp_path) == Acceptance()
    wanted = Acceptance(limits={"gap": 0.05, "rrf": 0.4})
    save_acceptance(tmp_path, wanted)
    assert read_acceptance(tmp_path) == wanted
    (tmp_path / "acceptance.json").write_text("{")
    assert read_acceptance(tmp_path) == Acceptance()
