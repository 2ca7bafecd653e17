"""Python as it is on Windows or macOS, as far as it can be imitated: found on the path by every interpreter that a test starts.

What the system lacks is taken away from the product, in every process of it; libraries keep it, since they do without it there.
What is there on Windows but acts otherwise acts so for all: a process that is told to end is killed, nothing is passed on to a
child, a file that is open is neither renamed, with or without its folder, nor deleted, and no folder is opened.
"""

# What pathlib would call is what is changed here.
# ruff: noqa: PTH109, PTH112, PTH113, PTH115, PTH118, PTH123, PTH208

import builtins
import importlib.util
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

LACKING: dict[str, dict[str, tuple[str, ...]]] = {
    "windows": {
        "os": (
            *(
                "posix_fallocate",
                "fork",
                "forkpty",
                "register_at_fork",
                "killpg",
                "getpgid",
                "setsid",
                "setpgid",
                "pwrite",
            ),
            *("getuid", "geteuid", "getgid", "fchmod", "mkfifo", "sched_getaffinity", "uname"),
            *("O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY"),
        ),
        "signal": ("SIGKILL", "SIGALRM", "SIGHUP", "SIGQUIT", "SIGSTOP", "alarm", "setitimer", "pthread_sigmask"),
    },
    "macos": {"os": ("posix_fallocate", "posix_fadvise", "sched_getaffinity", "memfd_create", "copy_file_range")},
}
LACKING_MODULES = {"windows": ("fcntl", "resource", "pwd"), "macos": ()}
OWN = "fairsal_core"
# What stands between whoever opens a file and the call that does.
_BETWEEN = ("pathlib", "os", "io", "glob", "codecs", "contextlib")


def take_away(system: str) -> None:
    """Make this interpreter one of another system."""
    for module, names in LACKING[system].items():
        _hide_names(sys.modules[module], names)
    _hide_modules(LACKING_MODULES[system])
    sys.addaudithook(_hide_proc)
    # Texts are of another encoding there where none is said.
    warnings.filterwarnings("ignore", category=EncodingWarning)
    warnings.filterwarnings("error", category=EncodingWarning, module=OWN)
    if system == "windows":
        _be_rough()
        _guard_open_files()


def _asks(frame: FrameType | None) -> bool:
    """Return whether this is the product's own code; what is run by `-m` is known by its package alone."""
    names = ("__name__", "__package__")
    return frame is not None and any(str(frame.f_globals.get(name)).startswith(OWN) for name in names)


def _hide_names(module: ModuleType, names: tuple[str, ...]) -> None:
    kept = {name: module.__dict__.pop(name) for name in names}

    def lookup(name: str) -> Any:
        if name not in kept or _asks(sys._getframe(1)):
            raise AttributeError(f"module '{module.__name__}' has no attribute '{name}'")
        return kept[name]

    module.__getattr__ = lookup  # type: ignore[method-assign]


def _hide_modules(lacking: tuple[str, ...]) -> None:
    real_import, real_find = builtins.__import__, importlib.util.find_spec

    def load(name: str, *args: Any, **options: Any) -> Any:
        if name in lacking and _asks(sys._getframe(1)):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real_import(name, *args, **options)

    def find(name: str, package: str | None = None) -> Any:
        return None if name in lacking and _asks(sys._getframe(1)) else real_find(name, package)

    builtins.__import__, importlib.util.find_spec = load, find


def _be_rough() -> None:
    """Have what ends processes end them at once, and what starts them give them nothing."""
    real_kill, real_signal, real_popen = os.kill, signal.signal, subprocess.Popen.__init__
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)

    def end(pid: int, number: int) -> None:
        real_kill(pid, 9 if number else 0)

    def set_handler(number: int, handler: Any) -> Any:
        if number not in handled and _asks(sys._getframe(1)):
            raise ValueError("invalid signal value")
        return real_signal(number, handler)

    def begin(self: Any, *args: Any, **options: Any) -> None:
        if options.get("pass_fds") or options.get("preexec_fn"):
            raise ValueError("pass_fds and preexec_fn are not supported on Windows platforms")
        real_popen(self, *args, **{name: value for name, value in options.items() if name != "start_new_session"})

    os.kill, signal.signal = end, set_handler
    subprocess.Popen.__init__ = begin  # type: ignore[method-assign]


def _hide_proc(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("open", "os.listdir", "os.scandir") or not str(arguments[0]).startswith("/proc"):
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] in _BETWEEN:
        frame = frame.f_back
    if _asks(frame):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


def _guard_open_files() -> None:
    """Refuse to rename or delete, in the workspace, what this process has open or mapped; and to open a folder."""
    home = os.path.realpath(os.environ.get("FAIRSAL_HOME", "/nowhere"))

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def do(path: Any, *args: Any, dir_fd: int | None = None, **options: Any) -> Any:
            base = os.readlink(f"/proc/self/fd/{dir_fd}") if dir_fd is not None else os.getcwd()
            for each in (path, *args):
                full = os.path.join(base, os.fspath(each))
                if full.startswith(home) and (used := _in_use(full)):
                    error = PermissionError(13, f"The process cannot access the file: {used} is open", full)
                    error.winerror = 32  # type: ignore[attr-defined]
                    raise error
            return real(path, *args, **({} if dir_fd is None else {"dir_fd": dir_fd}), **options)

        return do

    real_open = os.open

    def open_file(path: Any, *args: Any, **options: Any) -> int:
        if _asks(sys._getframe(1)) and os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return real_open(path, *args, **options)

    os.open = open_file
    for name in ("rename", "replace", "unlink", "remove", "rmdir"):
        setattr(os, name, guarded(getattr(os, name)))


def _in_use(path: str) -> str | None:
    """Return what of a file or folder this process has open or mapped."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            continue
    with open("/proc/self/maps", encoding="utf-8") as maps:
        found += [line.split(None, 5)[5].strip() for line in maps if "/" in line]
    return next(
        (each for each in found if each == path or (each.startswith(f"{path}/") and os.path.isfile(each))), None
    )


def _sign(folder: str) -> None:
    """Leave a file that says that this interpreter was one of another system, and what it was started for."""
    with open(os.path.join(folder, str(os.getpid())), "w", encoding="utf-8") as signed:
        signed.write(" ".join(sys.orig_argv))


if os.environ.get("IMITATED_SYSTEM"):
    take_away(os.environ["IMITATED_SYSTEM"])
    _sign(os.environ["IMITATION_SIGNED"])
