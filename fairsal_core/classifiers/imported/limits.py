"""What the process that looks into a stranger's files may do: little, for a while, with so much memory."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fairsal_core.errors import FairsalError

if TYPE_CHECKING:
    import psutil

SECONDS = 300.0
MEMORY = 8 * 2**30
MOST_WRITTEN = 64 * 2**20
# Events of Python's audit hooks (PEP 578) that reading numbers has no need of.
_REFUSED = (
    "pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn",
    "os.spawn", "os.startfile", "os.startfile/2", "socket.connect", "socket.getaddrinfo", "socket.bind", "webbrowser.open",
    "ftplib.connect", "urllib.Request", "os.rmdir", "os.rename", "shutil.rmtree",
)  # fmt: skip


def forbid() -> None:
    """Have this process start no other, open no connection, unpickle no class and move no file from now on."""

    def hook(event: str, arguments: Sequence[Any]) -> None:
        if event in _REFUSED:
            raise FairsalError(f"Reading this classifier wanted to do what no weights need ({event}); it was stopped.")

    sys.addaudithook(hook)


def limit_files(most: int) -> None:
    """Where the system can: have this process write no file larger than that, and leave no core behind.

    Where it cannot (Windows, which leaves no cores), whoever started the process watches `written_by`.
    """
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def written_by(process: "psutil.Process") -> int:
    """Return the bytes that a process has written where it cannot be kept from it by `limit_files`; 0 where it can."""
    return 0 if find_spec("resource") else int(process.io_counters().write_bytes)
