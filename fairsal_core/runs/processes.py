"""Who is alive: kernel locks (`fairsal_core.locks`), and processes told apart by more than their number.

A process is known by its pid *and* the moment it started, since pids are used again. What belongs to a run is a process group where
there are such things; on Windows it is what inherited the mark that the worker put into its environment.
"""

import functools
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fairsal_core
from fairsal_core.home import workspace
from fairsal_core.locks import (
    INHERITED,
    POLL_SECONDS,
    holding,
    is_locked,
    open_lock,
    relock,
    try_lock,
    unlock,
    wait_for_lock,
)

if TYPE_CHECKING:  # imported where a process is looked at: listing runs looks at none that has ended
    import psutil

__all__ = [
    "INHERITED",
    "child_environment",
    "detached",
    "device_lock",
    "has_parent",
    "holding",
    "is_locked",
    "is_running",
    "kill_group",
    "kill_rest_of_group",
    "lead_group",
    "machine",
    "open_lock",
    "outliving_environment",
    "peak_memory",
    "relock",
    "started",
    "terminate",
    "try_lock",
    "unlock",
    "wait_for_lock",
    "wait_until",
]

_GROUP_VARIABLE = "FAIRSAL_GROUP"


def device_lock(device: str) -> Path:
    """Return the file whose lock is held by whoever computes on a device, such as `cpu`, `cuda` (the first) or `cuda-1`."""
    path = workspace() / "locks" / f"{device}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@functools.cache
def machine() -> str:
    """Return where and when a pid means something: the host and, where there are such things, container and boot."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()}/{Path('/proc/self/ns/pid').stat().st_ino}/{boot}"
    return platform.node()


def started(pid: int) -> str | None:
    """Return when a process began, in a form only fit to be compared; None if it is gone, or a zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        with suppress(psutil.AccessDenied):  # someone else's, so it is there
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
    except (psutil.NoSuchProcess, OverflowError):
        return None
    # psutil tells processes apart by number and start, of a clock that nobody sets where there is one; `create_time` follows the
    # wall clock, and a running worker would become another process when that is set.
    return str(hash(process))


def is_running(pid: int, pid_started: str | None) -> bool:
    """Return whether this very process still runs, and not another that was given its number."""
    now = started(pid)
    return now is not None and now == pid_started


# glibc gives large blocks back to the system as they are freed, and a training step asks for the same ones again: a tenth of its
# time was the system's clearing of their pages. With these a child keeps up to 1 GiB. Other C libraries do not read them.
_KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


def child_environment() -> dict[str, str]:
    """Return the environment in which a child of this process finds the package, and prints without delay what logs are read as."""
    kept = {name: value for name, value in _KEPT_MEMORY.items() if name not in os.environ}
    # The package may be importable here only because of the script's own folder, which the child does not share.
    package_root = str(Path(fairsal_core.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    said = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:backslashreplace"}
    return {**os.environ, **kept, **said}


def outliving_environment() -> dict[str, str]:
    """Return `child_environment` for a child that is to outlive this process, and so is none of its group."""
    return {name: value for name, value in child_environment().items() if name != _GROUP_VARIABLE}


def detached() -> dict[str, Any]:
    """Return the arguments of `subprocess.Popen` for a process that neither Ctrl-C nor the end of this terminal reaches."""
    if hasattr(os, "setsid"):
        return {"start_new_session": True}
    flags = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")
    return {"creationflags": sum(getattr(subprocess, flag, 0) for flag in flags)}


def has_parent(pid: int) -> bool:
    """Return whether this process was started by that one, which still runs."""
    import psutil

    try:
        parent = psutil.Process().parent()
    except psutil.Error:
        return False
    return parent is not None and parent.pid == pid


def peak_memory() -> int:
    """Return the most memory, in bytes, that this process has held at once, mapped files included as far as they were looked at."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)  # type: ignore[attr-defined]  # only there
    kilobytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobytes


def terminate(pid: int, pid_started: str | None) -> None:
    """Ask this very process to stop (SIGTERM); nothing if it is gone, or if it could only be killed, as on Windows."""
    if not hasattr(signal, "SIGKILL") or not is_running(pid, pid_started):
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def lead_group() -> int:
    """Have all that this process starts known as its group, and return its number; where there are process groups it has one."""
    if not hasattr(os, "killpg"):
        os.environ[_GROUP_VARIABLE] = _mark(os.getpid(), started(os.getpid()))
    return os.getpid()


def kill_group(group: int, leader_started: str | None) -> None:
    """Kill a process group (SIGKILL): its leader, who may be gone, and what the leader left behind.

    The kernel gives a group's number to no new process while the group has members, so if the number now belongs to
    a process that began at another moment, the group is gone and the stranger is left alone.
    """
    import psutil

    if not hasattr(os, "killpg"):
        leader = [psutil.Process(group)] if is_running(group, leader_started) else []
        _kill([*leader, *_marked(_mark(group, leader_started))])
        return
    now = started(group)
    if now is not None and now != leader_started:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_rest_of_group() -> None:
    """Kill (SIGKILL) all other processes of the group that this one leads."""
    import psutil

    if not hasattr(os, "killpg"):
        _kill(_marked(_mark(os.getpid(), started(os.getpid()))))
        return
    mine = os.getpgid(0)
    if mine != os.getpid():
        return
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if pid != mine and os.getpgid(pid) == mine:
                os.kill(pid, signal.SIGKILL)


def _mark(leader: int, leader_started: str | None) -> str:
    return f"{leader}/{leader_started}"


def _marked(mark: str) -> "Iterator[psutil.Process]":
    """Give the processes that inherited a mark; the one that set it has it in no environment that others see."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(_GROUP_VARIABLE) == mark:
                yield process


def _kill(processes: "Iterable[psutil.Process]") -> None:
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for `condition`, at most some seconds, and return whether it came true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
