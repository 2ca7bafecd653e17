"""What happens to runs, told by a process of another system: `python scenarios.py SCENARIO [ARGUMENT]`."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from fairsal_core.runs import Run, cancel, delete_run, launcher, list_runs, load_run, log_tail, processes, resume, start
from fairsal_core.settings import parse_config

WORKER = (sys.executable, str(Path(__file__).with_name("jobs.py")))
SECONDS = 120.0


def light(kind: str) -> Path:
    return start(kind, {"device": "cpu"}, command=WORKER)


def until(condition: Callable[[], Any], run: Path) -> None:
    assert processes.wait_until(lambda: bool(condition()), SECONDS), (load_run(run), log_tail(run))


def ended(run: Path) -> Run:
    until(lambda: not launcher.is_alive(run), run)
    return load_run(run)


def child_of(run: Path) -> psutil.Process:
    until((run / "child").exists, run)
    return psutil.Process(int((run / "child").read_text()))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def cancelled_and_resumed(settings: str) -> Any:
    """Start an experiment, cancel it while it trains, resume it and wait for its end."""
    run = start("experiment", parse_config(json.loads(settings)).model_dump(mode="json"))
    until(lambda: load_run(run).status.stage.startswith("original"), run)
    state = cancel(run, grace_seconds=SECONDS)
    again = ended(resume(run))
    return [state, again.status.state, again.id, again.status.error]


def killed() -> Any:
    run = light("obedient")
    child = child_of(run)
    until(lambda: load_run(run).status.message == "going on", run)
    os.kill(load_run(run).status.pid or 0, 9)
    state = ended(run).status.state
    if processes.INHERITED:
        child.kill()  # it holds no lock, by which whoever reads the run would have found and ended it
    until(lambda: gone(child), run)
    return state


def cancelled_stubborn() -> Any:
    run = light("stubborn")
    child = child_of(run)
    worker = psutil.Process(load_run(run).status.pid)
    state = cancel(run, grace_seconds=0.5)
    until(lambda: gone(child) and gone(worker), run)
    return state


def finished_careless() -> Any:
    run = light("careless")
    child = child_of(run)
    state = ended(run).status.state
    until(lambda: gone(child), run)
    return state


def watched() -> Any:
    """Start runs while others look at all there are, as pages do, and may so come between launcher and worker."""
    stop = threading.Event()
    looks: list[int] = []

    def look() -> None:
        while not stop.is_set():
            looks.append(len(list_runs()))

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        runs = [light("quick") for _ in range(6)]
        states = [ended(run).status.state for run in runs]
    finally:
        stop.set()
        for watcher in watchers:
            watcher.join()
    assert max(looks) == 6
    return states


DESERT = """
from fairsal_core.runs import store
print(store.create_locked_run("quick", {"device": "cpu"})[0], flush=True)
input()
"""


def deserted() -> Any:
    """A launcher that dies before its worker has the lock: its run has an end all the same, and the worker does not begin it."""
    launching = _begin(DESERT)
    assert launching.stdout is not None
    run = Path(launching.stdout.readline().strip())
    before = load_run(run).status.state
    launching.kill()
    launching.wait()
    state = ended(run).status.state
    late = subprocess.run([*WORKER, str(run)], capture_output=True, text=True, check=False)
    return [before, state, late.returncode]


def deleted() -> Any:
    run = light("quick")
    ended(run)
    delete_run(run)
    return list_runs()


STAY = """
import sys, time
from fairsal_core.runs import processes
while processes.has_parent(int(sys.argv[1])):
    time.sleep(0.05)
"""
CALL = """
import os, subprocess, sys
print(subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())]).pid, flush=True)
input()
"""


def partner() -> Any:
    """A partner knows that the run which called it is there, and when it is gone."""
    caller = _begin(CALL, STAY)
    assert caller.stdout is not None
    called = psutil.Process(int(caller.stdout.readline()))
    time.sleep(3)
    stayed = not gone(called)
    caller.kill()
    caller.wait()
    return [stayed, processes.wait_until(lambda: gone(called), SECONDS)]


def _begin(program: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
