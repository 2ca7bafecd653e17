"""What reviewers leave with a run: their notes and the thresholds they agreed on."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, write_json
from fairsal_core.reports.acceptance import Acceptance
from fairsal_core.reports.decisions import locked_acceptance
from fairsal_core.runs import RunFiles, check_may_be_added_to

_LONGEST = 4000
_MOST_BYTES = 64 * 1024


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
    check_may_be_added_to(run)
    try:
        note = Note(text=text.strip(), author=author.strip(), about=about, written=datetime.now(UTC))
    except ValidationError as error:
        raise FairsalError(
            f"The note does not fit: at most {_LONGEST} characters, and 200 for who wrote it."
        ) from error
    name = f"{note.written:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}.json"
    write_json(RunFiles(run).notes / name, note.model_dump(mode="json"))
    return note


def read_notes(run: Path) -> list[Note]:
    """Return the notes of a run, oldest first; files that are no notes are passed over."""
    notes = []
    for path in sorted(RunFiles(run).notes.glob("*.json")):
        try:
            notes.append(Note.model_validate(read_json(path, _MOST_BYTES)))
        except (OSError, ValueError):
            continue
    return notes


def save_acceptance(run: Path, acceptance: Acceptance) -> None:
    """Keep the thresholds of a review with its run, in place of those before; FairsalError where they are locked."""
    if not run.is_dir():
        raise FairsalError(f"There is no run in {run}; the thresholds were not kept.")
    check_may_be_added_to(run)
    if locked_acceptance(run):
        raise FairsalError("The thresholds are locked; reopen them first, and say why.")
    write_json(RunFiles(run).acceptance, acceptance.model_dump())


def read_acceptance(run: Path) -> Acceptance:
    """Return the thresholds that are locked for a run, else those kept with it, else the defaults."""
    if locked := locked_acceptance(run):
        return locked.acceptance
    try:
        return Acceptance.model_validate(read_json(RunFiles(run).acceptance, _MOST_BYTES))
    except (OSError, ValueError):
        return Acceptance()
