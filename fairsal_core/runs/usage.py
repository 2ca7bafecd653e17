"""Which artifacts a run has used: a line each in its directory, so that pruning leaves alone what a run still needs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from fairsal_core.files import MOST_JSON, read_bounded
from fairsal_core.runs.layout import RunFiles

_record: ContextVar[Path | None] = ContextVar("record", default=None)


@contextmanager
def noting(run: Path) -> Iterator[None]:
    """While this is held, `note` writes into the run's directory."""
    token = _record.set(RunFiles(run).artifacts)
    try:
        yield
    finally:
        _record.reset(token)


def note(stage: str, key: str) -> None:
    """Note that an artifact is about to be used, if a run is at work here."""
    record = _record.get()
    if record is None:
        return
    with record.open("a", encoding="utf-8") as file:
        file.write(f"{stage}/{key}\n")


def used_by(run: Path) -> set[str] | None:
    """Return the artifacts, as "stage/key", that a run has used; None if it was not noted."""
    with suppress(OSError, UnicodeDecodeError):
        return set(read_bounded(RunFiles(run).artifacts, MOST_JSON).decode().split())
    return None
