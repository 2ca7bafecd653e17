"""Giving back disk: artifacts that no run has used, and what killed processes left half made."""

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fairsal_core.errors import FairsalError
from fairsal_core.home import cache_folder, runs_folder
from fairsal_core.runs import processes, store
from fairsal_core.runs.layout import RunFiles
from fairsal_core.runs.usage import used_by

# Small, dear, and offered on the Attribution page whether a run has used them or not.
_KEPT_STAGES = ("regions",)
_KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Leftover:
    """Something that may go: where it is, how large, and why nobody needs it."""

    path: Path
    size: int
    reason: str


def leftovers() -> list[Leftover]:
    """Return what `prune` would delete: nothing that a run, going, finished or to be resumed, has used.

    A run that did not note what it used counts as having used everything that was made before it ended.
    """
    needed = _needed(store.list_runs())
    found = [*_unused(needed), *_half_made()]
    return [Leftover(path, _size(path), reason) for path, reason in sorted(found)]


def prune() -> list[Leftover]:
    """Delete the leftovers and return them.

    No run starts between the look at who needs what and the moment in which it is out of reach.

    Raises
    ------
    FairsalError
        If a run is going: it may be about to use what no run has used yet.
    """
    with store.starting():
        going = [run.id for run in store.list_runs() if run.status.state not in store.TERMINAL]
        if going:
            raise FairsalError(f"{going[0]} is going: prune when no run is, or cancel it first.")
        found = leftovers()
        out_of_reach = [_hide(leftover.path) for leftover in found]
    for path in out_of_reach:
        shutil.rmtree(path, ignore_errors=True)
    return found


def _hide(path: Path) -> Path:
    """Put an artifact where only pruning finds it, in one step: deleting it may take long, and a run may want to start."""
    if path.name.startswith("."):
        return path
    return path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"))


def _needed(runs: list[store.Run]) -> Callable[[str, float], bool]:
    """Return what tells of an artifact's name and time whether a run needs it."""
    noted: set[str] = set()
    silent_until = 0.0
    for run in runs:
        used = used_by(run.path)
        if used is None:
            silent_until = max(silent_until, run.status.updated, run.created.timestamp())
        else:
            noted |= used
    return lambda name, made: name in noted or made <= silent_until


def _unused(needed: Callable[[str, float], bool]) -> Iterator[tuple[Path, str]]:
    for about in cache_folder().glob("*/*/depends_on.json"):
        artifact = about.parent
        name = f"{artifact.parent.name}/{artifact.name}"
        is_one = _KEY.fullmatch(artifact.name) and artifact.parent.name not in _KEPT_STAGES
        if is_one and not artifact.is_symlink() and not needed(name, about.stat().st_mtime):
            yield artifact, "no run has used it"


def _half_made() -> Iterator[tuple[Path, str]]:
    for draft in cache_folder().glob("*/.*.tmp"):
        key = draft.name.split(".")[1]
        if not processes.is_locked(draft.with_name(f".{key}.lock")):
            yield draft, "its maker was stopped"
    for draft in runs_folder().glob(".new-*"):
        if not processes.is_locked(RunFiles(draft).lock):
            yield draft, "a run that was never begun"
    for remains in runs_folder().glob(".deleted-*"):
        yield remains, "a run that was deleted"


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
