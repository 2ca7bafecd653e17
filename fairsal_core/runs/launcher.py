"""Starting runs, each in a process of its own that outlives this one, and stopping them."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairsal_core.errors import FairsalError
from fairsal_core.runs import processes, store
from fairsal_core.runs.events import Listener, ignore
from fairsal_core.runs.layout import RunFiles

if TYPE_CHECKING:
    from fairsal_core.runs.worker import TakeDevice

WORKER = (sys.executable, "-m", "fairsal_core.runs.worker")
_KILLED_SECONDS = 5.0


def start(
    kind: str,
    config: Mapping[str, Any],
    name: str | None = None,
    root: Path | None = None,
    command: Sequence[str] = WORKER,
) -> Path:
    """Start a run in a new process and return its directory at once.

    Parameters
    ----------
    kind : str
        What sort of job it is, a key of `worker.JOBS`.
    config : Mapping[str, Any]
        What the job gets; written as JSON.
    name : str or None
        What to call it.
    root : Path or None
        The folder of all runs; by default the workspace's.
    command : Sequence[str]
        The worker's command line, to which the run's directory is added. It has to be the worker or to become it
        (`exec`), not to start it as a child.

    Raises
    ------
    FairsalError
        If the worker cannot be started; the run is then `failed`.
    """
    run, lock = store.create_locked_run(kind, config, root, name)
    try:
        worker = _spawn([*command, str(run)], run, lock)
        # The worker says so too, but a cancel may come before it is awake; and where it cannot inherit the lock, this is by what
        # readers know that it will take it.
        with suppress(OSError):
            pid = worker.pid
            machine = processes.machine()
            store.update_status(run, pid=pid, pid_started=processes.started(pid), group=pid, machine=machine)
    except OSError as error:
        store.end_run(run, "failed", f"The worker could not be started: {error}.")
        raise FairsalError(f"The worker could not be started: {error}.") from error
    finally:
        os.close(lock)  # not unlocked: a worker that inherited it holds it now
    # Someone has to wait for a child, or it stays as a zombie; if this process ends first, init does.
    threading.Thread(target=worker.wait, name=f"reap {run.name}", daemon=True).start()
    return run


def resume(path: Path, command: Sequence[str] = WORKER) -> Path:
    """Start again what ended before it was finished, and return the new run's directory at once.

    What whole stages made is kept under the hash of what it depends on, so the new run goes on from the last of them.
    The old one stays as it ended.

    Raises
    ------
    FairsalError
        If the run goes on, is finished, or its config cannot be read.
    """
    run = store.load_run(path)
    if run.problem and not run.config:
        raise FairsalError(f"The run {run.id} cannot be resumed: {run.problem}")
    if run.status.state not in store.RESUMABLE:
        raise FairsalError(f"The run {run.id} is {run.status.state}: only one that ended early can be resumed.")
    return start(run.kind, run.config, run.name, path.parent, command)


def _spawn(command: Sequence[str], run: Path, lock: int) -> subprocess.Popen[bytes]:
    """Start the worker in a session of its own, so that neither Ctrl-C nor the end of this terminal reaches it."""
    with RunFiles(run).log.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock,) if processes.INHERITED else (),
            **processes.detached(),
            env={
                **processes.outliving_environment(),
                "PYTHONFAULTHANDLER": "1",  # a crash in native code then leaves its place in the log
                "FAIRSAL_LOCK_FD": str(lock) if processes.INHERITED else "awaited",
            },
        )


def run_here(
    kind: str,
    config: Mapping[str, Any],
    name: str | None = None,
    root: Path | None = None,
    listener: Listener = ignore,
    jobs: Mapping[str, str] | None = None,
    take_device: "TakeDevice | None" = None,
) -> Path:
    """Do a run in this process, through a run directory like any other, and return the directory when it has ended.

    The listener hears the events worth showing; `take_device` waits for the device (see `worker.work`). Ctrl-C makes it
    `cancelled`, a second one at once. How it ended is in its status; nothing is raised for a job that fails.
    """
    from fairsal_core.runs import worker  # `python -m` warns if its module was imported before by the package

    run, lock = store.create_locked_run(kind, config, root, name)
    try:
        worker.work(run, worker.JOBS if jobs is None else jobs, None, listener, take_device)
    finally:
        processes.unlock(lock)
    return run


def is_alive(path: Path) -> bool:
    """Return whether a run waits or goes on."""
    return store.load_run(path).status.state not in store.TERMINAL


def cancel(path: Path, grace_seconds: float = 5.0) -> store.State:
    """Stop a run, and return its state then: `cancelled`, or how it had ended before.

    Asks first, and after the grace kills the worker with all its children. A run in someone's terminal
    (`run_here`) is only asked, since killing it would kill more than the run: the state returned may then still be
    `running`.
    """
    status = store.load_run(path).status  # a worker that is already gone was interrupted, not cancelled
    if status.state in store.TERMINAL:
        return status.state
    RunFiles(path).cancel.touch()
    if _is_ours_to_kill(status):
        _stop_worker(path, grace_seconds)
    else:
        processes.wait_until(lambda: not is_alive(path), grace_seconds)
    return store.load_run(path).status.state


def _is_ours_to_kill(status: store.Status) -> bool:
    return status.group is not None and status.machine == processes.machine()


def _stop_worker(path: Path, grace_seconds: float) -> None:
    """Stop the process of a run, and whatever it leaves behind."""
    status = store.load_run(path).status
    if status.pid is None or status.group is None:
        return
    processes.terminate(status.pid, status.pid_started)
    processes.wait_until(lambda: not _is_running(status), grace_seconds)
    processes.kill_group(status.group, status.pid_started)
    processes.wait_until(lambda: not _is_running(status), _KILLED_SECONDS)


def _is_running(status: store.Status) -> bool:
    return status.pid is not None and processes.is_running(status.pid, status.pid_started)
