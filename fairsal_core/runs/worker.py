"""The process that does one run: `python -m fairsal_core.runs.worker RUN`.

It knows no kind of job by itself: `JOBS` says where each lives, so that heavy imports happen here and only for the job
that needs them. Whoever starts a worker holds the run's lock and lets it inherit it, or, where locks are not inherited, has written
down who the worker is and then lets go; started by hand it takes the lock.
"""

import argparse
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from fairsal_core.errors import CancelledError, FairsalError, sentence, unknown_name
from fairsal_core.output import open_standard_streams, tell
from fairsal_core.runs import processes, store
from fairsal_core.runs.events import Event, JobProgress, Listener, ignore
from fairsal_core.runs.layout import RunFiles
from fairsal_core.runs.mirroring import mirror
from fairsal_core.runs.usage import noting

Job = Callable[[dict[str, Any], Path, JobProgress], None]
TakeDevice = Callable[[Path, str, Callable[[], bool], Listener], int]

JOBS: Mapping[str, str] = {
    "experiment": "fairsal_core.experiments.pipeline:run_job",
    "regions": "fairsal_core.experiments.region_training:run_regions",
    "attribution": "fairsal_core.scaling.mapping:run_attribution",
    "explain": "fairsal_core.experiments.explaining:run_job",
    "audit": "fairsal_core.scaling.audit_job:run_job",
    "sweep": "fairsal_core.scaling.sweep:run_job",
}
# It computes nothing itself, and what it starts needs the devices.
WITHOUT_DEVICE = frozenset({"sweep"})
NO_DEVICE = "none"  # of a run whose settings need no network: it waits for nobody

LOCK_FD_VARIABLE = "FAIRSAL_LOCK_FD"  # the descriptor, or AWAITED: it will be let go of
AWAITED = "awaited"
_HANDOVER_SECONDS = 30.0
QUEUE_SECONDS = 0.2
_EXIT_CODES: Mapping[store.State, int] = {"finished": 0, "failed": 1, "cancelled": 130}
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LET_OTHERS_PASS = 10


def main(argv: Sequence[str] | None = None, jobs: Mapping[str, str] = JOBS) -> int:
    """Do the run in the directory that `argv` names, and return the exit status of the process."""
    open_standard_streams()
    parser = argparse.ArgumentParser(prog="python -m fairsal_core.runs.worker", description="Do one run.")
    parser.add_argument("run", type=Path, help="the run's directory")
    run = parser.parse_args(argv).run.resolve()
    given = _given_lock(run)
    lock = processes.wait_for_lock(RunFiles(run).lock, seconds=1.0) if given is None else given
    if lock is None:
        tell(f"Another process works on {run}.")
        return 2
    try:
        # Only the launcher gives a worker a process group of its own, which may then be killed whole.
        state = work(run, jobs, group=None if given is None else processes.lead_group())
    except FairsalError as error:
        tell(str(error))
        return 2
    except OSError:
        # As long as the lock is held: whoever then finds the run without its end looks for the reason in its log.
        _log_traceback(run)
        return 1
    finally:
        processes.unlock(lock)
        if given is not None:
            processes.kill_rest_of_group()  # a child that ignored the signal would go on, and keep the device's memory
    return _EXIT_CODES[state]


def _given_lock(run: Path) -> int | None:
    """Return the descriptor of the run's lock if a launcher has given it to this process, from now on kept from its programs."""
    given = os.environ.pop(LOCK_FD_VARIABLE, None)
    if given == AWAITED:
        return processes.wait_for_lock(RunFiles(run).lock, _HANDOVER_SECONDS)
    with suppress(TypeError, ValueError, OSError):
        descriptor = int(given)  # type: ignore[arg-type]  # that there is none is a TypeError
        if os.path.samestat(os.fstat(descriptor), RunFiles(run).lock.stat()) and processes.relock(descriptor):
            os.set_inheritable(descriptor, False)
            return descriptor
    return None


def work(
    run: Path,
    jobs: Mapping[str, str],
    group: int | None,
    listener: Listener = ignore,
    take_device: TakeDevice | None = None,
) -> store.State:
    """Do a run whose lock the caller holds, write how it ended and return that.

    Parameters
    ----------
    run : Path
        The run's directory.
    jobs : Mapping[str, str]
        For each kind of run the `module:function` that does it.
    group : int or None
        The process group that is the run's alone, if there is one.
    listener : Listener
        Hears the events worth showing.
    take_device : TakeDevice or None
        Waits for the device and returns the descriptor of its lock; by default runs queue for it on this machine.

    Raises
    ------
    FairsalError
        If the run has already ended.
    OSError
        If its end cannot be written; readers then find it interrupted as soon as the lock is free.
    """
    pid = os.getpid()
    status = store.update_status(
        run, pid=pid, pid_started=processes.started(pid), group=group, machine=processes.machine()
    )
    if status.state in store.TERMINAL:
        raise FairsalError(f"The run {run.name} has already ended: it is {status.state}.")
    with stop_requests() as requests, ExitStack() as held:

        def cancelled() -> bool:
            return bool(requests) or RunFiles(run).cancel.exists()

        state, error = _outcome(
            run, cancelled, partial(_do, run, jobs, held, cancelled, listener, take_device or _take_device)
        )
        requests.clear()  # one more Ctrl-C must not break off the writing of the end
        state = store.end_run(run, state, error).state
    if state == "finished":
        mirror(run)
    return state


def _do(
    run: Path,
    jobs: Mapping[str, str],
    held: ExitStack,
    cancelled: Callable[[], bool],
    listener: Listener,
    take_device: TakeDevice,
) -> None:
    """Wait for the device and do the job. The device stays taken until `held` is left, after the end is written."""

    def show(event: Event) -> None:
        store.update_status(
            run, stage=event.stage, fraction=event.fraction, eta_seconds=event.eta_seconds, message=event.message
        )
        listener(event)

    described = store.load_run(run)
    if described.problem:
        raise FairsalError(described.problem)
    if cancelled():
        raise CancelledError("Cancelled before it began.")
    job = _find_job(described.kind, jobs)
    if described.kind not in WITHOUT_DEVICE and described.config.get("device") != NO_DEVICE:
        device = _device_key(described.config)
        store.update_status(run, device=device)
        held.callback(processes.unlock, take_device(run, device, cancelled, show))
    store.update_status(run, state="running", started=time.time(), stage="", message="")
    held.enter_context(noting(run))
    job(dict(described.config), run, JobProgress(partial(store.append_event, run), show, cancelled))


def _find_job(kind: str, jobs: Mapping[str, str]) -> Job:
    if kind not in jobs:
        raise unknown_name("kind of run", kind, jobs)
    module, _, function = jobs[kind].partition(":")
    job: Job = getattr(importlib.import_module(module), function)
    return job


def _outcome(run: Path, cancelled: Callable[[], bool], task: Callable[[], None]) -> tuple[store.State, str | None]:
    """Do the task and return the terminal state it leads to, with a sentence on what failed."""
    try:
        task()
    except (CancelledError, KeyboardInterrupt):
        return "cancelled", None
    except BaseException as error:
        if not isinstance(error, FairsalError):
            _log_traceback(run)
        # A job that is told to stop may fall over on its way out, for instance when its children go first.
        return ("cancelled", None) if cancelled() else ("failed", sentence(error))
    return "finished", None


def _log_traceback(run: Path) -> None:
    with suppress(OSError), RunFiles(run).log.open("a", encoding="utf-8", errors="backslashreplace") as log:
        traceback.print_exc(file=log)


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list, instead of dying of them; a second SIGINT raises KeyboardInterrupt.

    Does nothing outside the main thread, where Python lets nobody handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    _requests.clear()
    before = {number: signal.signal(number, _note_request) for number in _STOP_SIGNALS}
    try:
        yield _requests
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


_requests: list[int] = []  # one list, as signals are sent to a process and not to a run
_masks: list[set[signal.Signals | int]] = []


def _note_request(number: int, frame: FrameType | None) -> None:
    impatient = number == signal.SIGINT and signal.SIGINT in _requests
    _requests.append(number)
    if impatient:
        raise KeyboardInterrupt


def _hold_signals() -> None:
    _masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS))


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


def _forget_handlers() -> None:
    for number in _STOP_SIGNALS:
        if signal.getsignal(number) is _note_request:
            signal.signal(number, signal.SIG_DFL)
    _release_signals()


# A forked child that only noted the signal could not be stopped: it dies of it. Signals are held during the fork, so
# that one sent to the newborn finds the default handling and is not lost.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_signals, after_in_parent=_release_signals, after_in_child=_forget_handlers)


def _device_key(config: Mapping[str, Any]) -> str:
    """Return the device that the run needs for itself, such as `cpu`, `cuda` or `cuda-1`."""
    wanted = str(config.get("device", "auto"))
    if wanted == "cpu":
        return wanted
    from fairsal_core.device import pick_device  # imports torch, which takes seconds

    device = pick_device(wanted)
    return f"{device.type}-{device.index}" if device.index else str(device.type)


def _take_device(run: Path, device: str, cancelled: Callable[[], bool], show: Listener) -> int:
    """Wait until no other run has the device, and return the descriptor of its lock. Older runs go first."""
    path = processes.device_lock(device)
    let_pass = _LET_OTHERS_PASS
    said = None
    while not cancelled():
        lock = processes.try_lock(path)
        if lock is not None and (let_pass == 0 or not _older_waits(run, device)):
            _holder(path).write_bytes(os.fsencode(run))
            return lock
        if lock is not None:
            # Bounded, in case the older one is halted and never takes its turn.
            processes.unlock(lock)
            let_pass -= 1
        message = f"Waiting for {device}{_ahead(path)}."
        if message != said:
            show(Event(time.time(), "queued", 0.0, message))
            said = message
        time.sleep(QUEUE_SECONDS)
    raise CancelledError("Cancelled while it waited.")


def _older_waits(run: Path, device: str) -> bool:
    runs = store.list_runs(run.parent)
    mine = next((store.age_key(other) for other in runs if other.id == run.name), None)
    return mine is not None and any(
        other.status.state == "queued" and other.status.device == device and store.age_key(other) < mine
        for other in runs
    )


def _holder(lock: Path) -> Path:
    """Return the file that says which run has a device; not the lock itself, which Windows lets nobody read."""
    return lock.with_suffix(".run")


def _ahead(path: Path) -> str:
    """Return which run has the device, as part of a sentence.

    Looking it up also reconciles it: where its worker was killed, this frees the device from the children it left.
    """
    with suppress(OSError, FairsalError):
        holder = Path(os.fsdecode(_holder(path).read_bytes()))
        if holder.is_absolute() and store.load_run(holder).status.state not in store.TERMINAL:
            return f": {holder.name} is ahead"
    return ""


if __name__ == "__main__":
    sys.exit(main())
