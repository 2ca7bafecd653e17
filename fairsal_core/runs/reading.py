"""Reading what a run left: the one place that opens its results, and compares them with the run's manifest.

What is compared is what is read, not the file again. A run that has not finished, or is older than manifests, has none, and is
read as it is.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fairsal_core.errors import FairsalError
from fairsal_core.files import MOST_ARRAY, MOST_JSON, MOST_TABLE, as_array, as_json, as_table, read_bounded
from fairsal_core.files import read_array as read_array_file
from fairsal_core.manifests import DamagedError, Entries, check_content, check_file, check_file_once
from fairsal_core.runs.layout import RunFiles
from fairsal_core.runs.sealing import damaged, manifest_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Found = TypeVar("Found")
_AGAIN_SECONDS = 0.5  # after which what was being replaced as it was read has its manifest


def is_there(run: Path, file: Path) -> bool:
    """Return whether a run has a file, or should have: one that its manifest names and that is gone is damage, not absence."""
    return file.is_file() or file.relative_to(run).as_posix() in _entries(run)


def read_table(run: Path, file: Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """Return a table of a run.

    Raises
    ------
    FileNotFoundError
        If the run has no such file.
    FairsalError
        If it is not what the run wrote, or cannot be read.
    """
    return _parsed(run, file, MOST_TABLE, lambda content: as_table(content, file.name, columns))


def read_content(run: Path, file: Path) -> Any:
    """Return the content of a JSON file of a run; raises as `read_table` does."""
    return _parsed(run, file, MOST_JSON, lambda content: as_json(content, file.name))


def read_array(run: Path, file: Path) -> "NDArray[Any]":
    """Return an array of a run; raises as `read_table` does."""
    return _parsed(run, file, MOST_ARRAY, lambda content: as_array(content, file.name))


def map_array(run: Path, file: Path) -> "NDArray[Any]":
    """Return a large array of a run, memory-mapped: all of it is compared once in this process; raises as `read_table` does."""

    def opened() -> "NDArray[Any]":
        if entries := _entries(run):
            check_file_once(run, file.relative_to(run).as_posix(), entries)
        return read_array_file(file, mapped=True)

    return _told(run, file, opened)


def recorded_versions(run: Path) -> dict[str, str]:
    """Return what a run says that it was computed with; empty for one that did not record it."""
    try:
        return {str(name): str(value) for name, value in dict(read_content(run, RunFiles(run).versions)).items()}
    except (FileNotFoundError, TypeError, ValueError):
        return {}


def checked(run: Path, file: Path) -> Path:
    """Return the path of a file of a run whose content is what the run wrote, for whoever opens it; raises as `read_table` does."""

    def compared() -> Path:
        if entries := _entries(run):
            check_file(run, file.relative_to(run).as_posix(), entries)
        file.stat()
        return file

    return _told(run, file, compared)


def _parsed(run: Path, file: Path, most: int, parse: Callable[[bytes], Found]) -> Found:
    def read() -> bytes:
        content = read_bounded(file, most)
        if entries := _entries(run):
            check_content(content, file.relative_to(run).as_posix(), entries)
        return content

    content = _told(run, file, read)
    try:
        return parse(content)
    except Exception as error:  # whatever damage makes of it
        raise _unreadable(run, file, error) from error


def _told(run: Path, file: Path, read: Callable[[], Found]) -> Found:
    """Do what reads a file; say in a sentence what is wrong with it."""
    try:
        try:
            return read()
        except (DamagedError, FileNotFoundError):
            time.sleep(_AGAIN_SECONDS if RunFiles(run).manifest.is_file() else 0.0)
            return read()
    except DamagedError as error:
        raise damaged(run, error) from error
    except FileNotFoundError as error:
        if is_there(run, file):
            raise damaged(run, DamagedError(f"{file.relative_to(run).as_posix()} is gone")) from error
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(run, file, error) from error


def _unreadable(run: Path, file: Path, error: Exception) -> FairsalError:
    return FairsalError(f"{file.relative_to(run).as_posix()} of run {run.name} cannot be read ({str(error)[:120]}).")


def _entries(run: Path) -> Entries:
    """Return what a run's manifest says of its files, after comparing what was asked of it: results mean nothing without."""
    manifest = manifest_of(run)
    if manifest is None:
        return {}
    entries: Entries = manifest["files"]
    check_file(run, RunFiles(run).config.name, entries)
    return entries
