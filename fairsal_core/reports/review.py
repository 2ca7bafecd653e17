"""What reviewers leave with a run: their notes and the thresholds they agreed on."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, write_json
from fairsal_core.reports.acceptance import Acceptance

_NOTES, _ACCEPTANCE = "notes", "acceptance.json"
_LONGEST = 4000


class Note(BaseModel):
    """One remark of one reviewer; `about` names a variant or a face, "" for the run as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1, max_length=_LONGEST)
    author: str = Field("", max_length=200)
    about: str = Field("", max_length=200)
    written: datetime


def add_note(run: Path, text: str, author: str = "", about: str = "") -> Note:
    """Keep a note with a run.

    Every note is a file of its own, so that two reviewers who press the button at once do not overwrite each other.

    Raises
    ------
    FairsalError
        If the note is empty or too long, or the run's directory is gone.
    """
    if not run.is_dir():
        raise FairsalError(f"There is no run in {run}; the note was not kept.")
    if not text.strip():
        raise FairsalError("The note is empty; write something first.")
    try:
        note = Note(text=text.strip(), author=author.strip(), about=about, written=datetime.now(UTC))
    except ValidationError as error:
        raise FairsalError(
            f"The note does not fit: at most {_LONGEST} characters, and 200 for who wrote it."
        ) from error
    name = f"{note.written:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}.json"
    write_json(run / _NOTES / name, note.model_dump(mode="json"))
    return note


def read_notes(run: Path) -> list[Note]:
    """Return the notes of a run, oldest first; files that are no notes are passed over."""
    notes = []
    for path in sorted((run / _NOTES).glob("*.json")):
        try:
            notes.append(Note.model_validate(read_json(path)))
        except (OSError, ValueError):
            continue
    return notes


def save_acceptance(run: Path, acceptance: Acceptance) -> None:
    """Keep the thresholds of a review with its run, in place of those before."""
    if not run.is_dir():
        raise FairsalError(f"There is no run in {run}; the thresholds were not kept.")
    write_json(run / _ACCEPTANCE, acceptance.model_dump())


def read_acceptance(run: Path) -> Acceptance:
    """Return the thresholds kept with a run, or the defaults."""
    try:
        return Acceptance.model_validate(read_json(run / _ACCEPTANCE))
    except (OSError, ValueError):
        return Acceptance()
