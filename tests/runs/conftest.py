"""A workspace for each test, and a way to start runs in it that leaves no process behind."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fairsal_core.runs import launcher, processes, store

WORKER = (sys.executable, str(Path(__file__).with_name("light.py")))
Start = Callable[..., Path]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    def start(kind: str, name: str | None = None, **config: object) -> Path:
        return launcher.start(kind, {"device": "cpu", **config}, name=name, command=WORKER)

    yield start
    for run in store.list_runs():
        with suppress(ProcessLookupError, TypeError):
            os.killpg(run.status.group, signal.SIGKILL)  # type: ignore[arg-type]


def ended(run: Path, seconds: float = 20.0) -> store.Status:
    """Wait for the end of a run and return its status."""
    assert processes.wait_until(lambda: not launcher.is_alive(run), seconds), store.load_run(run)
    return store.load_run(run).status


def running(run: Path, seconds: float = 20.0) -> store.Status:
    """Wait until a run goes on, and return its status."""
    wait = processes.wait_until(lambda: store.load_run(run).status.message == "going on", seconds)
    assert wait, (store.load_run(run), store.log_tail(run))
    return store.load_run(run).status


def number_in(path: Path, seconds: float = 20.0) -> int:
    """Wait for a file that a job writes, and return the number in it."""
    assert processes.wait_until(path.exists, seconds), store.log_tail(path.parent)
    return int(path.read_text())
