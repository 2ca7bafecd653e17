"""Who is alive: kernel locks, and processes told apart by more than their number.

A lock is a `flock`: the kernel frees it when the last process that inherited it is gone, however it went. A process is
known by its pid *and* the moment it started, since pids are used again.
"""

import errno
import fcntl
import functools
import os
import platform
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import fairsal_core
from fairsal_core.home import workspace

POLL_SECONDS = 0.05


def try_lock(path: Path) -> int | None:
    """Lock the file `path`, made if missing, and return its descriptor; None if another holds it."""
    descriptor = _open_lock(path)
    if relock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        # Who may only read can still see by the lock whether someone works here.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def relock(descriptor: int) -> bool:
    """Lock an open file, and say whether that worked: it does for whoever holds, or inherited, its lock already."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def wait_for_lock(path: Path, seconds: float) -> int | None:
    """Lock the file `path` within some seconds and return its descriptor; None if another still holds it then."""
    deadline = time.monotonic() + seconds
    while (descriptor := try_lock(path)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return descriptor


def unlock(descriptor: int) -> None:
    """Free a lock and close its file.

    Freed by name and not by closing alone: a child forked meanwhile has the file open too, and would keep the lock.
    """
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether someone holds the lock on the file `path`, which is not made if missing."""
    if not path.exists():
        return False
    descriptor = try_lock(path)
    if descriptor is None:
        return True
    unlock(descriptor)
    return False


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Hold the lock on the file `path`, waiting for it: for moments, such as one read and write."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        unlock(descriptor)


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
    if Path("/proc/self/stat").exists():
        return _started_from_proc(pid)
    return _started_from_ps(pid)


def _started_from_proc(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name, in brackets, may hold blanks and brackets itself: count from the last one (state is 3rd, start 22nd).
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _started_from_ps(pid: int) -> str | None:
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, moment = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else moment.strip()


def is_running(pid: int, pid_started: str | None) -> bool:
    """Return whether this very process still runs, and not another that was given its number."""
    now = started(pid)
    return now is not None and now == pid_started


def child_environment() -> dict[str, str]:
    """Return the environment in which a child of this process finds the package, and prints without delay."""
    # The package may be importable here only because of the script's own folder, which the child does not share.
    package_root = str(Path(fairsal_core.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def terminate(pid: int, pid_started: str | None) -> None:
    """Ask this very process to stop (SIGTERM); nothing if it is gone."""
    if not is_running(pid, pid_started):
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def kill_group(group: int, leader_started: str | None) -> None:
    """Kill a process group (SIGKILL): its leader, who may be gone, and what the leader left behind.

    The kernel gives a group's number to no new process while the group has members, so if the number now belongs to
    a process that began at another moment, the group is gone and the stranger is left alone.
    """
    now = started(group)
    if now is not None and now != leader_started:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def kill_rest_of_group() -> None:
    """Kill (SIGKILL) all other processes of the group that this one leads; only where there is a /proc to find them by."""
    mine = os.getpgid(0)
    if mine != os.getpid():
        return
    for pid in [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]:
        with suppress(ProcessLookupError, PermissionError):
            if pid != mine and os.getpgid(pid) == mine:
                os.kill(pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for `condition`, at most some seconds, and return whether it came true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
