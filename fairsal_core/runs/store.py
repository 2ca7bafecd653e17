"""The run store: one directory a run, and no database, since the directory is the truth.

`config.json` (what was asked), `status.json` (where it is; how it ended, written once), `events.jsonl` (how it went),
`log.txt` (what the worker printed), `lock` (held while anyone works on it), `cancel` (someone asked it to stop), and
whatever the job leaves. Reading also *reconciles*: a run that says it is going while nobody works on it is given its
end, so that no page ever waits for a worker that is gone.
"""

import difflib
import errno
import json
import os
import re
import secrets
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from fairsal_core.errors import FairsalError, sentence, unknown_name
from fairsal_core.files import open_regular, patiently, write_json
from fairsal_core.home import runs_folder, workspace
from fairsal_core.output import legible
from fairsal_core.runs import processes
from fairsal_core.runs.events import Event
from fairsal_core.runs.layout import RunFiles
from fairsal_core.runs.sealing import seal_run

State = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
TERMINAL: frozenset[State] = frozenset({"finished", "failed", "cancelled", "interrupted"})
RESUMABLE = TERMINAL - {"finished"}

FORMAT = 1

_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[a-z0-9_]{1,40}-[0-9a-f]{4}")
_STAMP = "%Y%m%d-%H%M%S"
_TAIL_BYTES = 64 * 1024
_MOST_BYTES = 4 * 1024 * 1024  # of a config or status, which have a few thousand
_MOST_EVENT_BYTES = 64 * 1024 * 1024  # days, at one event a second
_FULL_BYTES = 1024 * 1024
_ORPHANS_GONE_SECONDS = 2.0
_READ_SECONDS = 5.0  # a reader holds a lock for a moment
_WORKER_EXIT_SECONDS = 2.0


class Status(BaseModel, frozen=True, extra="ignore"):
    """Where a run is. Times are unix times in seconds."""

    state: State = "queued"
    stage: str = ""
    fraction: float = Field(default=0.0, ge=0.0, le=1.0)
    eta_seconds: float | None = None
    message: str = ""
    error: str | None = None
    device: str | None = None
    # Who works on it: the main process, known by its number and its start on that machine, and the process group, if
    # it is the run's alone and may so be killed whole.
    pid: int | None = Field(default=None, ge=1)
    pid_started: str | None = None
    group: int | None = Field(default=None, gt=1)  # 0 would be the reader's own group, 1 the system's
    machine: str | None = None
    updated: float = 0.0
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True)
class Run:
    """A run as it is now. `problem` says what could not be read of it, if anything."""

    id: str
    path: Path
    kind: str
    config: Mapping[str, Any]
    status: Status
    created: datetime
    name: str | None = None
    problem: str | None = None


def create_run(kind: str, config: Mapping[str, Any], root: Path | None = None, name: str | None = None) -> Path:
    """Make a run directory that nobody works on yet; `launcher.start` makes one and starts it.

    Whoever reads it before a worker took its lock takes it for a run whose start failed.
    """
    run, lock = create_locked_run(kind, config, root, name)
    processes.unlock(lock)
    return run


def create_locked_run(
    kind: str, config: Mapping[str, Any], root: Path | None = None, name: str | None = None
) -> tuple[Path, int]:
    """Make a run directory and return it with the descriptor of its lock, held.

    It is made under a hidden name and renamed when it is whole and locked: no reader ever finds it without its files,
    or not locked, and takes it for dead. Raises FairsalError if none can be made there.
    """
    root = runs_folder() if root is None else root.resolve()
    try:
        return _make_locked_run(kind, config, root, name)
    except OSError as error:
        raise FairsalError(f"No run can be made in {root}. {sentence(error)}") from error


def starting() -> AbstractContextManager[None]:
    """Hold the lock that every run takes for the moment in which it appears: while it is held, none does."""
    locks = workspace() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    return processes.holding(locks / "starting.lock")


def _make_locked_run(kind: str, config: Mapping[str, Any], root: Path, name: str | None) -> tuple[Path, int]:
    with starting():
        return _make_it(kind, config, root, name)


def _make_it(kind: str, config: Mapping[str, Any], root: Path, name: str | None) -> tuple[Path, int]:
    root.mkdir(parents=True, exist_ok=True)
    created = datetime.now(UTC)
    draft = root / f".new-{uuid.uuid4().hex}"
    draft.mkdir()
    lock = None
    try:
        content = {"format": FORMAT, "kind": kind, "config": config, "created": created.isoformat(), "name": name}
        write_json(RunFiles(draft).config, content)
        status = Status(updated=created.timestamp())
        if not processes.INHERITED:
            return _publish_then_lock(draft, status, created, name or kind)
        write_json(RunFiles(draft).status, status.model_dump())
        lock = processes.try_lock(RunFiles(draft).lock)
        if lock is None:
            raise FairsalError(f"The folder {root} is on a file system without file locks: runs cannot live there.")
        return _publish(draft, created, name or kind), lock
    except BaseException:
        if lock is not None:
            processes.unlock(lock)
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _publish_then_lock(draft: Path, status: Status, created: datetime, name: str) -> tuple[Path, int]:
    """Do the same where no folder can be renamed while a file in it is open, as on Windows.

    Until it is locked, readers know by this process that it is on its way (see `_is_handed_over`).
    """
    pid = os.getpid()
    who = {"pid": pid, "pid_started": processes.started(pid), "machine": processes.machine()}
    write_json(RunFiles(draft).status, status.model_copy(update=who).model_dump())
    run = _publish(draft, created, name)
    lock = processes.wait_for_lock(RunFiles(run).lock, _READ_SECONDS)
    if lock is None:
        raise FairsalError(f"The folder {run.parent} is on a file system without file locks: runs cannot live there.")
    update_status(run, **dict.fromkeys(who))
    return run, lock


def _publish(draft: Path, created: datetime, name: str) -> Path:
    """Rename a whole run directory to the first free id. A rename never replaces a directory with files in it."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower())[:40].strip("_") or "run"
    while True:
        run = draft.with_name(f"{created.strftime(_STAMP)}-{slug}-{secrets.token_hex(2)}")
        try:
            return patiently(partial(draft.rename, run))
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise


def run_path(run_id: str, root: Path | None = None) -> Path:
    """Return the directory of a run; raises FairsalError, naming the nearest, if there is no such run."""
    root = runs_folder() if root is None else root.resolve()
    path = root / run_id
    # The pattern first: an id is typed by people and read from addresses, and must not lead out of the folder.
    if _RUN_ID.fullmatch(run_id) and path.is_dir() and not path.is_symlink():
        return path
    known = sorted((path.name for path in _run_folders(root)), reverse=True)
    if not known:
        raise FairsalError(f"There is no run '{run_id}': there are no runs in {root} yet.")
    raise unknown_name("run", run_id, difflib.get_close_matches(run_id, known, n=3) or known[:3])


def list_runs(root: Path | None = None) -> list[Run]:
    """Return all runs, newest first. Folders that are not named like a run are not runs."""
    runs = []
    for path in _run_folders(runs_folder() if root is None else root.resolve()):
        with suppress(FairsalError):  # deleted a moment ago
            runs.append(load_run(path))
    return sorted(runs, key=age_key, reverse=True)


def age_key(run: Run) -> tuple[datetime, str]:
    """Return what sorts runs by age, in the same order for everyone even if two began at once."""
    return run.created, run.id


def _run_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        return [Path(entry) for entry in entries if _RUN_ID.fullmatch(entry.name) and _is_real_folder(entry)]


def _is_real_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return entry.is_dir(follow_symlinks=False)
    return False


def load_run(path: Path) -> Run:
    """Return a run, reconciled: one that nobody works on any more has a terminal state.

    Files that are missing, half-written or not ours make a run with a `problem`, never an exception. Raises
    FairsalError only if there is no such folder.
    """
    if not path.is_dir():
        raise FairsalError(f"There is no run in {path}.")
    config, config_problem = _read_config(path)
    status, status_problem = _read_status(path)
    problem = config_problem or status_problem
    status = _view_of_unreadable(path, status_problem) if status is None else _reconciled(path, status)
    kind, name = config.get("kind"), config.get("name")
    content = config.get("config")
    return Run(
        id=path.name,
        path=path,
        kind=kind if isinstance(kind, str) else "unknown",
        config=content if isinstance(content, dict) else {},
        status=status,
        created=_created(config.get("created"), path.name),
        name=name if isinstance(name, str) else None,
        problem=problem,
    )


def _read_config(path: Path) -> tuple[dict[str, Any], str | None]:
    file = RunFiles(path).config
    try:
        content = json.loads(_read(file))
    except FileNotFoundError:
        return {}, f"{file.name} is missing."
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{file.name} cannot be read: {error}."
    if not isinstance(content, dict):
        return {}, f"{file.name} holds no run."
    if content.get("format") != FORMAT:
        return content, f"{file.name} is of format {content.get('format')!r}; this fairsal reads format {FORMAT}."
    if not isinstance(content.get("kind"), str) or not isinstance(content.get("config"), dict):
        return content, f"{file.name} does not say what to run."
    return content, None


def _read_status(path: Path) -> tuple[Status | None, str | None]:
    file = RunFiles(path).status
    try:
        return Status.model_validate_json(_read(file)), None
    except FileNotFoundError:
        return None, f"{file.name} is missing."
    except (OSError, ValidationError) as error:
        return None, f"{file.name} cannot be read: {str(error).splitlines()[0]}."


def _read(path: Path) -> bytes:
    with open_regular(path) as stream:
        content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError("it is far too long")
    return content


def _created(text: object, run_id: str) -> datetime:
    with suppress(ValueError):
        created = datetime.fromisoformat(str(text))
        return created if created.tzinfo else created.replace(tzinfo=UTC)
    with suppress(ValueError):
        return datetime.strptime(run_id[:15], _STAMP).replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC)


def _view_of_unreadable(path: Path, problem: str | None) -> Status:
    """Return a status for a run that has none to read, and leave its files alone: they may be someone else's."""
    with suppress(OSError):
        if processes.is_locked(RunFiles(path).lock):
            return Status(state="running", message="Someone works on it, but its status cannot be read.")
    return Status(state="interrupted", error=problem)


def _reconciled(path: Path, status: Status) -> Status:
    """Return the status of a run, after writing its end if nobody works on it and nobody wrote it."""
    if status.state in TERMINAL:
        return status
    try:
        lock = processes.try_lock(RunFiles(path).lock)
    except OSError:
        # No lock, and none can be made: a copy without it, on a full disk or where nothing may be written.
        held = RunFiles(path).lock.is_file() and not _worker_is_gone(status)
        return status if held else _write_lost_end(path, status)
    if lock is None and not _worker_is_gone(status):
        return status
    if lock is not None and not processes.INHERITED:
        # It may have been free for a moment, on its way to the worker; what is read now was written before that, or after.
        status = _read_status(path)[0] or status
        if status.state in TERMINAL or _is_handed_over(status):
            processes.unlock(lock)
            return status
        if status.group is not None and _worker_is_gone(status):
            processes.kill_group(status.group, status.pid_started)  # what a worker left behind holds no lock there
    if lock is None:
        # The main process is gone, yet its lock is held: by children it left behind, which may use the device.
        lock = _lock_without_orphans(path, status)
    try:
        return _write_lost_end(path, status)
    finally:
        if lock is not None:
            processes.unlock(lock)


def _is_handed_over(status: Status) -> bool:
    """Return whether a run whose lock is free is about to be locked by its worker, which could not inherit the lock."""
    if processes.INHERITED or status.state != "queued" or status.pid is None or status.machine != processes.machine():
        return False
    return processes.is_running(status.pid, status.pid_started)


def _worker_is_gone(status: Status) -> bool:
    """Return whether the main process is certainly gone. Without a pid the launcher is about to start it."""
    if status.pid is None or status.machine != processes.machine():
        return False
    return not processes.is_running(status.pid, status.pid_started)


def _lock_without_orphans(path: Path, status: Status) -> int | None:
    latest, _ = _read_status(path)
    if latest is not None and latest.state in TERMINAL:
        return None
    if status.group is not None:
        processes.kill_group(status.group, status.pid_started)
    return processes.wait_for_lock(RunFiles(path).lock, _ORPHANS_GONE_SECONDS)


def _write_lost_end(path: Path, status: Status) -> Status:
    """Write the end of a run whose worker could not; nothing if it did after all."""
    state, error = _lost_end(path)
    try:
        return end_run(path, state, error)
    except OSError:  # a full disk, perhaps what ended the worker: still tell the truth to whoever reads now
        return status.model_copy(update={"state": state, "error": error, "eta_seconds": None, "message": ""})


def _lost_end(path: Path) -> tuple[State, str | None]:
    if RunFiles(path).cancel.exists():
        return "cancelled", None
    tail = log_tail(path, lines=5)
    reason = "The worker stopped without saying why."
    with suppress(OSError):
        if shutil.disk_usage(path).free < _FULL_BYTES:
            reason = "The worker stopped, and the disk is full: free some space and resume."
    return "interrupted", f"{reason} Its log ends:\n{tail}" if tail else f"{reason} Its log is empty."


def update_status(path: Path, **changes: Any) -> Status:
    """Change some fields of a run's status and return it as it is now; a terminal state stays as it is.

    All writing goes through here, one process at a time, so that the first terminal state is the only one.
    """
    with processes.holding(RunFiles(path).status_guard):
        current = _read_status(path)[0] or Status()
        if current.state in TERMINAL:
            return current
        # Messages hold names from anywhere, such as of a file that is no text, which no status could hold.
        shown = {name: legible(value) if isinstance(value, str) else value for name, value in changes.items()}
        changed = Status.model_validate({**current.model_dump(), **shown, "updated": time.time()})
        write_json(RunFiles(path).status, changed.model_dump())
        return changed


def end_run(path: Path, state: State, error: str | None = None) -> Status:
    """Write the terminal state of a run, unless it has one; before that, of one that is finished, its manifest."""
    if state == "finished" and (_read_status(path)[0] or Status()).state not in TERMINAL:
        seal_run(path)
    done: dict[str, Any] = {"fraction": 1.0} if state == "finished" else {}
    return update_status(path, state=state, error=error, eta_seconds=None, message="", ended=time.time(), **done)


def append_event(path: Path, event: Event) -> None:
    """Add an event to a run, in one write."""
    line = json.dumps(event.as_json(), allow_nan=False) + "\n"
    with RunFiles(path).events.open("a", encoding="utf-8") as stream:
        stream.write(line)


def read_events(path: Path, after: int = 0) -> tuple[list[Event], int]:
    """Return the events of a run from the byte `after`, and the byte to go on from next time.

    A last line that is not whole yet is left for the next time; lines that are no events are passed over.
    """
    try:
        with open_regular(RunFiles(path).events) as stream:
            stream.seek(after)
            content = stream.read(_MOST_EVENT_BYTES)
    except OSError:
        return [], 0
    whole = content[: content.rfind(b"\n") + 1]
    events = []
    for line in whole.splitlines():
        with suppress(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            events.append(Event.from_json(json.loads(line)))
    return events, after + len(whole)


def log_tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of what the worker printed; empty if it printed nothing."""
    try:
        with open_regular(RunFiles(path).log) as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def delete_run(path: Path) -> None:
    """Delete a run; raises FairsalError if it is going, is no run, or cannot be deleted."""
    if not _RUN_ID.fullmatch(path.name) or path.is_symlink():
        raise FairsalError(f"{path} is not a run, so it is not deleted.")
    run = load_run(path)
    try:
        _delete(run)
    except OSError as error:
        raise FairsalError(f"The run {run.id} cannot be deleted. {sentence(error)}") from error


def _delete(run: Run) -> None:
    # A worker frees the lock a moment after it wrote how the run ended.
    seconds = _WORKER_EXIT_SECONDS if run.status.state in TERMINAL else 0.0
    lock = processes.wait_for_lock(RunFiles(run.path).lock, seconds)
    if lock is None:
        raise FairsalError(f"The run {run.id} is {run.status.state}: cancel it before you delete it.")
    gone = run.path.with_name(f".deleted-{run.id}-{uuid.uuid4().hex[:8]}")
    if not processes.INHERITED:
        processes.unlock(lock)  # no folder can be renamed while a file in it is open; who has ended is begun by nobody
        shutil.rmtree(patiently(lambda: run.path.rename(gone)))
        return
    try:
        # Under a hidden name first: no listing finds half of it.
        shutil.rmtree(run.path.rename(gone))
    finally:
        processes.unlock(lock)
