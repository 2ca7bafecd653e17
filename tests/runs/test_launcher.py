"""Real workers, really killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.runs import launcher, processes, store, worker
from fairsal_core.runs.events import Event
from fairsal_core.runs.layout import RunFiles
from tests.runs import jobs
from tests.runs.conftest import WORKER, Start, ended, number_in, running


def gone(pid: int) -> bool:
    return processes.started(pid) is None


def test_a_run_finishes_with_its_files_events_and_log(start: Start) -> None:
    run = start("quick", name="Blond Hair!", text="hello")
    status = ended(run)
    assert (status.state, status.fraction, status.error, status.device) == ("finished", 1.0, None, "cpu")
    assert status.started is not None
    assert status.ended is not None
    assert status.ended >= status.started
    assert (run / "result.txt").read_text() == "hello"
    assert store.log_tail(run) == "all done"
    events, offset = store.read_events(run)
    assert [(event.stage, round(event.fraction, 3)) for event in events] == [
        *[("first", 0.0), ("first", 0.5), ("second", 0.5), ("second", 0.667), ("second", 0.833), ("second", 1.0)]
    ]
    assert [event.numbers.get("loss") for event in events[-3:]] == pytest.approx([1, 1 / 2, 1 / 3])
    assert store.read_events(run, offset) == ([], offset)
    assert "blond_hair" in run.name
    assert store.load_run(run).name == "Blond Hair!"


def test_when_a_run_is_finished_its_lock_is_soon_free_and_no_process_is_left(start: Start) -> None:
    run = start("quick")
    status = ended(run)
    assert not launcher.is_alive(run)
    assert status.pid is not None
    pid = status.pid
    assert processes.wait_until(lambda: not processes.is_locked(RunFiles(run).lock), 2)
    assert processes.wait_until(lambda: not psutil.pid_exists(pid), 5), "a zombie is left"
    store.delete_run(run)
    assert store.list_runs() == []


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("breaks", "ValueError: two lines"),
        ("bad_input", "There is no attribute 'Hair'."),
        ("fills_disk", "The disk is full: free some space and start again."),
        ("fills_memory", "There is not enough memory: use fewer images or a smaller batch."),
        ("leaves", "SystemExit: 7"),
        ("quik", "There is no kind of run 'quik'; did you mean 'quick'?"),
    ],
)
def test_a_failure_is_one_line_and_its_traceback_is_in_the_log(home: Path, kind: str, sentence: str) -> None:
    run = launcher.run_here(kind, {"device": "cpu"}, jobs=jobs.JOBS)
    status = store.load_run(run).status
    assert status.state == "failed"
    assert status.error is not None
    assert status.error.startswith(sentence)
    assert "\n" not in status.error
    mendable = kind in ("bad_input", "quik")
    assert ("Traceback" in store.log_tail(run)) != mendable


def test_a_failure_in_a_worker_leaves_what_it_printed_and_its_traceback_in_order(start: Start) -> None:
    run = start("breaks")
    assert ended(run).state == "failed"
    lines = store.log_tail(run).splitlines()
    assert lines[0] == "one line before"
    assert lines[-2:] == ["ValueError: two", "lines"]


def test_a_log_takes_every_letter_whatever_the_terminal(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    run = start("prints_any_letter")
    status = ended(run)
    assert (status.state, status.error) == ("failed", r"ValueError: half a letter: \udc80")
    lines = store.log_tail(run).splitlines()
    assert (lines[0], lines[-1]) == ("Fr\u00e4ulein", r"ValueError: half a letter: \udc80")


def test_a_worker_that_cannot_write_its_end_is_still_given_one(start: Start) -> None:
    run = start("cannot_write_its_end")
    status = ended(run)
    assert status.state == "interrupted"
    assert status.error is not None
    assert "IsADirectoryError" in status.error


def test_cancel_while_running(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "never"))
    status = running(run)
    assert status.pid is not None
    assert launcher.cancel(run, grace_seconds=10) == "cancelled"
    assert gone(status.pid)
    after = RunFiles(run).status.read_bytes()
    assert launcher.cancel(run) == "cancelled"  # again: nothing changes
    assert RunFiles(run).status.read_bytes() == after
    assert store.load_run(run).status.error is None


def test_cancel_before_the_worker_is_awake(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "never"))
    assert launcher.cancel(run) == "cancelled"


def test_cancel_a_finished_run_leaves_it_finished(start: Start) -> None:
    run = start("quick")
    ended(run)
    assert launcher.cancel(run) == "finished"
    assert not RunFiles(run).cancel.exists()


def test_a_job_that_falls_over_when_told_to_stop_is_cancelled_not_failed(start: Start, home: Path) -> None:
    run = start("falls_over_when_told", file=str(home / "never"))
    running(run)
    assert launcher.cancel(run, grace_seconds=10) == "cancelled"
    assert "my children died first" in store.log_tail(run)


def test_one_job_a_device_the_second_waits_and_then_runs_and_the_third_is_cancelled_waiting(
    start: Start, home: Path
) -> None:
    first = start("until", file=str(home / "go"))
    running(first)
    second, third = start("quick"), start("quick")

    def both_wait() -> bool:
        waiting = (store.load_run(run).status for run in (second, third))
        return all(status.state == "queued" and first.name in status.message for status in waiting)

    assert processes.wait_until(both_wait, 20), store.list_runs()
    assert store.load_run(second).status.device == "cpu"
    assert launcher.cancel(third, grace_seconds=10) == "cancelled"
    assert store.load_run(second).status.state == "queued"
    (home / "go").touch()
    assert ended(first).state == "finished"
    assert ended(second).state == "finished"
    assert store.load_run(third).status.started is None


def test_the_older_of_two_waiting_runs_goes_first(start: Start, home: Path) -> None:
    first = start("until", file=str(home / "go"))
    running(first)
    waiting = []
    for _ in range(3):
        waiting.append(start("quick"))
        assert processes.wait_until(lambda: "ahead" in store.load_run(waiting[-1]).status.message, 20)
    (home / "go").touch()
    begun = [ended(run).started for run in waiting]
    assert begun == sorted(begun)  # type: ignore[type-var]


def test_a_killed_worker_is_interrupted_with_the_end_of_its_log(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "never"))
    status = running(run)
    with RunFiles(run).log.open("a") as log:
        log.write("the last words\n")
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    status = ended(run)
    assert status.state == "interrupted"
    assert status.error == "The worker stopped without saying why. Its log ends:\nthe last words"
    assert status.ended is not None


def test_a_killed_worker_whose_child_holds_the_lock_is_interrupted_and_the_child_killed(
    start: Start, home: Path
) -> None:
    run = start("with_child", file=str(home / "never"))
    status = running(run)
    child = number_in(run / "child")
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    assert processes.wait_until(lambda: gone(status.pid or 0), 5)
    assert processes.is_locked(RunFiles(run).lock), "the child was to hold the lock"
    assert ended(run).state == "interrupted"
    assert processes.wait_until(lambda: gone(child), 5)
    assert not processes.is_locked(RunFiles(run).lock)


def test_a_waiting_run_is_not_held_up_by_the_children_of_a_killed_one(start: Start, home: Path) -> None:
    first = start("with_child", file=str(home / "never"))
    status = running(first)
    second = start("quick")
    assert processes.wait_until(lambda: "ahead" in store.load_run(second).status.message, 20)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    assert ended(second).state == "finished"
    assert json.loads(RunFiles(first).status.read_text())["state"] == "interrupted"  # nobody read it but the second


def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace_with_its_children(start: Start) -> None:
    run = start("stubborn")
    child = number_in(run / "child")
    began = time.monotonic()
    assert launcher.cancel(run, grace_seconds=0.5) == "cancelled"
    assert 0.5 <= time.monotonic() - began < 10
    assert processes.wait_until(lambda: gone(child), 5)


def test_cancel_leaves_no_child_behind_when_the_worker_obeys(start: Start, home: Path) -> None:
    run = start("with_child", file=str(home / "never"))
    running(run)
    child = number_in(run / "child")
    assert launcher.cancel(run, grace_seconds=10) == "cancelled"
    assert processes.wait_until(lambda: gone(child), 5)


def test_a_forked_child_dies_of_sigterm_and_no_program_inherits_the_lock(start: Start) -> None:
    run = start("terminates_child")
    assert ended(run).state == "finished", store.log_tail(run)
    assert number_in(run / "signal") == signal.SIGTERM
    assert number_in(run / "inherited") == 0


def test_a_stranger_with_the_pid_of_a_dead_worker_is_left_alone(start: Start, home: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    run, lock = store.create_locked_run("until", {})
    try:
        store.update_status(
            run, state="running", pid=stranger.pid, pid_started="1", group=stranger.pid, machine=processes.machine()
        )
        assert launcher.cancel(run, grace_seconds=0.1) == "interrupted"
        assert stranger.poll() is None
    finally:
        processes.unlock(lock)
        stranger.communicate(b"\n", timeout=20)
    assert stranger.returncode == 0


def test_a_worker_elsewhere_is_not_judged_by_its_pid(home: Path) -> None:
    run, lock = store.create_locked_run("until", {})
    store.update_status(run, state="running", pid=2, pid_started="1", group=2, machine="another/1")
    assert launcher.is_alive(run)
    assert launcher.cancel(run, grace_seconds=0.1) == "running"  # asked, for it to notice
    processes.unlock(lock)
    assert not launcher.is_alive(run)


def test_a_worker_survives_its_launcher(home: Path) -> None:
    program = (
        "import sys, time, light\nlight.skip_face()\nfrom fairsal_core.runs import launcher\n"
        "run = launcher.start('until', {'device': 'cpu', 'file': sys.argv[1]}, command=sys.argv[2:])\n"
        "print(run, flush=True)\ntime.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(home / "go"), *WORKER]
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        run = Path(server.stdout.readline().strip())
        running(run)
        server.kill()
    time.sleep(0.2)
    assert launcher.is_alive(run)
    (home / "go").touch()
    assert ended(run).state == "finished"


def test_two_who_press_start_at_once_get_a_run_each(start: Start) -> None:
    runs: list[Path] = []
    threads = [threading.Thread(target=lambda: runs.append(start("quick", name="same"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(runs)) == 2
    assert [ended(run).state for run in runs] == ["finished", "finished"]


def test_a_going_run_is_not_deleted(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "never"))
    running(run)
    with pytest.raises(FairsalError, match="cancel it before"):
        store.delete_run(run)
    assert launcher.is_alive(run)


def test_a_worker_that_does_not_start_is_a_failed_run(home: Path) -> None:
    with pytest.raises(FairsalError, match="could not be started"):
        launcher.start("quick", {}, command=("/nowhere/python",))
    assert [run.status.state for run in store.list_runs()] == ["failed"]


def test_the_default_worker_names_the_kinds_it_knows(home: Path) -> None:
    run = launcher.start("nonsense", {"device": "cpu"})
    error = ended(run).error
    assert error is not None
    assert error.startswith("There is no kind of run 'nonsense'. Known: experiment")
    assert store.log_tail(run) == ""  # no warning that `python -m` found its module imported already


def test_a_worker_started_by_hand_takes_the_lock_and_a_second_one_does_not(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, lock = store.create_locked_run("quick", {"device": "cpu"})
    assert worker.main([str(run)], jobs.JOBS) == 2
    processes.unlock(lock)
    assert worker.main([str(run)], jobs.JOBS) == 0
    assert worker.main([str(run)], jobs.JOBS) == 2
    assert "has already ended: it is finished" in capsys.readouterr().err


def test_run_here_tells_the_listener_and_puts_the_signal_handlers_back(home: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    heard: list[Event] = []
    run = launcher.run_here("quick", {"device": "cpu"}, listener=heard.append, jobs=jobs.JOBS)
    assert store.load_run(run).status.state == "finished"
    assert [event.stage for event in heard][:2] == ["first", "first"]
    assert heard[-1].fraction == 1.0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert not processes.is_locked(RunFiles(run).lock)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_run_here_is_cancelled_by_ctrl_c(home: Path, stop: signal.Signals) -> None:
    def interrupt(event: Event) -> None:
        if event.message == "going on":
            os.kill(os.getpid(), stop)

    config = {"device": "cpu", "file": str(home / "never")}
    run = launcher.run_here("until", config, listener=interrupt, jobs=jobs.JOBS)
    assert store.load_run(run).status.state == "cancelled"


def test_a_run_in_someones_terminal_is_asked_to_stop_and_never_killed(home: Path) -> None:
    def cancel(event: Event) -> None:
        if event.message == "going on":
            states.append(launcher.cancel(store.list_runs()[0].path, grace_seconds=0))

    states: list[store.State] = []
    config = {"device": "cpu", "file": str(home / "never")}
    run = launcher.run_here("until", config, listener=cancel, jobs=jobs.JOBS)
    assert states == ["running"]
    assert store.load_run(run).status.state == "cancelled"


def test_run_here_works_in_a_thread(home: Path) -> None:
    runs: list[Path] = []
    thread = threading.Thread(target=lambda: runs.append(launcher.run_here("quick", {"device": "cpu"}, jobs=jobs.JOBS)))
    thread.start()
    thread.join()
    assert store.load_run(runs[0]).status.state == "finished"


def test_the_job_gets_its_config(home: Path) -> None:
    run = launcher.run_here("quick", {"device": "cpu", "text": "é"}, jobs=jobs.JOBS)
    assert (run / "result.txt").read_text() == "é"
