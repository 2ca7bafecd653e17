"""Locks on files, which the kernel frees when whoever holds one is gone, however it went.

On POSIX systems a lock is a `flock`: it belongs to the open file, and a child that inherits the descriptor holds it too. On Windows
it belongs to one process, is inherited by none, and keeps others from reading the file: nothing is written into what is locked.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

# portalocker is imported where a lock is taken: listing runs takes none.
POLL_SECONDS = 0.05
# Whether a child can be given a lock that is held; else it takes its own when it is awake.
INHERITED = find_spec("fcntl") is not None


def open_lock(path: Path) -> int:
    """Open a file to be locked, made if missing, and return its descriptor."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        # Who may only read can still see by the lock whether someone works here.
        return os.open(path, os.O_RDONLY)


def try_lock(path: Path) -> int | None:
    """Lock the file `path`, made if missing, and return its descriptor; None if another holds it."""
    descriptor = open_lock(path)
    if relock(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def relock(descriptor: int) -> bool:
    """Lock an open file, and say whether that worked: it does for whoever inherited its lock."""
    import portalocker

    try:
        portalocker.lock(descriptor, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException:
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
    import portalocker

    with suppress(portalocker.LockException):  # it was not held
        portalocker.unlock(descriptor)
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
def holding(path: Path, waiting: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold the lock on the file `path`, made if missing, and wait for it as long as it takes; `waiting` is called before a wait."""
    if waiting is not None and is_locked(path):
        waiting()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait(descriptor)
        yield
    finally:
        unlock(descriptor)


def _wait(descriptor: int) -> None:
    import portalocker

    while True:
        try:
            portalocker.lock(descriptor, portalocker.LockFlags.EXCLUSIVE)
        except portalocker.AlreadyLocked:
            time.sleep(POLL_SECONDS)  # Windows itself waits for some seconds only
        except portalocker.LockException as error:
            raise OSError(errno.ENOLCK, f"there are no file locks here ({error})") from error
        else:
            return
