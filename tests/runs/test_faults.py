"""What may befall a run. After each fault: no run lost, none shown as going for ever, no finished result changed, the
truth told within five seconds, and what ended early can be resumed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.results import read_results
from fairsal_core.runs import launcher, processes, store
from fairsal_core.runs.layout import RunFiles
from fairsal_core.settings import parse_config
from tests.runs import jobs
from tests.runs.conftest import WORKER, Start, ended, number_in, running

TRUTH_SECONDS = 5.0


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def bystander(home: Path) -> Iterator[Path]:
    """A run that finished before the fault: it has to be there afterwards, byte for byte."""
    run = launcher.run_here("quick", {"device": "cpu", "text": "0.75"}, name="bystander", jobs=jobs.JOBS)
    before = contents(run)
    yield run
    assert contents(run) == before
    assert store.load_run(run).status.state == "finished"


def truth(*runs: Path) -> list[store.State]:
    """Return what a dashboard that starts now shows for these runs; it shows every run there is, and soon."""
    began = time.monotonic()
    ended_soon = processes.wait_until(lambda: not any(map(launcher.is_alive, runs)), TRUTH_SECONDS)
    listed = {run.path: run.status.state for run in store.list_runs(runs[0].parent)}
    assert time.monotonic() - began < TRUTH_SECONDS
    assert ended_soon, f"still shown as going: {listed}"
    assert set(runs) <= set(listed)
    return [listed[run] for run in runs]


def resumed(run: Path) -> store.Status:
    """Resume a run and return how that ended; the old one stays as it was."""
    before = contents(run)
    again = launcher.resume(run, WORKER)
    assert again != run
    status = ended(again)
    assert contents(run) == before
    return status


def send(run: Path, number: signal.Signals) -> None:
    pid = store.load_run(run).status.pid
    assert pid is not None
    os.kill(pid, number)


def gone(pid: int) -> bool:
    return processes.started(pid) is None


# ---- processes


def test_kill_9_of_the_worker(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "go"))
    running(run)
    send(run, signal.SIGKILL)
    assert truth(run) == ["interrupted"]
    (home / "go").touch()
    assert resumed(run).state == "finished"


def test_kill_9_of_a_child_fails_the_run_or_leaves_it_going(start: Start, home: Path) -> None:
    run = start("with_child", file=str(home / "go"))
    running(run)
    os.kill(number_in(run / "child"), signal.SIGKILL)
    (home / "go").touch()
    assert ended(run).state == "finished"  # this job does not need its child


def test_sigterm_to_the_worker(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "go"))
    running(run)
    send(run, signal.SIGTERM)
    assert truth(run) == ["cancelled"]
    (home / "go").touch()
    assert resumed(run).state == "finished"


def test_a_child_that_ignores_sigterm_does_not_outlive_its_worker(start: Start, home: Path) -> None:
    run = start("leaves_a_stubborn_child", file=str(home / "never"))
    running(run)
    child = number_in(run / "child")
    send(run, signal.SIGTERM)
    assert truth(run) == ["cancelled"]
    assert processes.wait_until(lambda: gone(child), TRUTH_SECONDS)


SERVER = (
    "import sys, time, light\nlight.skip_face()\nfrom fairsal_core.runs import launcher\n"
    "run = launcher.start('until', {'device': 'cpu', 'file': sys.argv[1]}, command=sys.argv[2:])\n"
    "print(run, flush=True)\ntime.sleep(60)\n"
)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("both", [False, True], ids=["server", "server and worker"])
def test_the_server_is_stopped(home: Path, stop: signal.Signals, both: bool) -> None:
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    command = [sys.executable, "-c", SERVER, str(home / "go"), *WORKER]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONPATH": paths}
    ) as server:
        assert server.stdout is not None
        run = Path(server.stdout.readline().strip())
        running(run)
        if both:
            send(run, signal.SIGKILL)
        server.send_signal(stop)
        server.wait(20)
    if not both:
        assert launcher.is_alive(run)
    (home / "go").touch()
    if both:
        assert truth(run) == ["interrupted"]
        assert resumed(run).state == "finished"
    else:
        assert ended(run).state == "finished"


def test_six_people_press_start_in_the_same_second(start: Start) -> None:
    runs: list[Path] = []
    together = threading.Barrier(6)

    def press() -> None:
        together.wait()
        runs.append(start("quick", name="same"))

    people = [threading.Thread(target=press) for _ in range(6)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len(set(runs)) == 6
    assert {ended(run, 60).state for run in runs} == {"finished"}
    times = sorted((status.started, status.ended) for status in (store.load_run(run).status for run in runs))
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(times)), "two at once"  # type: ignore[operator]


def test_two_people_press_resume_at_once(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "go"))
    running(run)
    send(run, signal.SIGKILL)
    truth(run)
    again = [launcher.resume(run, WORKER) for _ in range(2)]
    (home / "go").touch()
    assert [ended(other).state for other in again] == ["finished", "finished"]


def test_an_interrupted_experiment_goes_on_from_its_last_stage(home: Path, drawn_folder: Path) -> None:
    settings = {
        "data": str(drawn_folder),
        "schemes": [],
        "counts": "0,12,8,4",
        "test_per_cell": 1,
        "device": "cpu",
        "training": {"epochs": 1, "batch_size": 8},
    }
    config = parse_config(settings).model_dump(mode="json")
    run = launcher.start("experiment", config)

    def in_the_second_variant() -> bool:
        return any(event.stage.startswith("balanced") for event in store.read_events(run)[0])

    assert processes.wait_until(in_the_second_variant, 120), store.log_tail(run)
    (original,) = (home / "cache" / "classifiers").glob("[0-9a-f]*")
    made = original.stat().st_mtime_ns
    send(run, signal.SIGKILL)
    if truth(run) != ["interrupted"]:
        pytest.skip("it was quicker than its killer")
    again = launcher.resume(run)
    assert ended(again, 120).state == "finished", store.log_tail(again)
    assert original.stat().st_mtime_ns == made
    assert set(read_results(again)["variant"]) == {"original", "balanced"}
    assert not list((home / "cache" / "classifiers").glob("*.tmp"))


def test_what_goes_on_or_is_finished_is_not_resumed(start: Start, home: Path, bystander: Path) -> None:
    run = start("until", file=str(home / "never"))
    for path, state in ((run, "queued|running"), (bystander, "finished")):
        with pytest.raises(FairsalError, match=f"is ({state}): only one that ended early"):
            launcher.resume(path)


# ---- disks


def test_a_full_disk_while_working(small_disk: Path, start: Start) -> None:
    run = start("fills_a_real_disk")
    assert truth(run) == ["interrupted"]  # not even the end could be written
    status = store.load_run(run).status
    assert status.error is not None
    assert "the disk is full: free some space and resume" in status.error
    with pytest.raises(FairsalError, match=f"No run can be made in {run.parent}. The disk is full: free some space"):
        launcher.start("quick", {})
    (run / "filler").unlink()
    assert truth(run) == ["interrupted"]
    assert "interrupted" in RunFiles(run).status.read_text()  # now that it could be


def test_a_full_disk_while_writing_results_leaves_no_half_result(small_disk: Path, start: Start) -> None:
    run = start("fills_a_real_disk_with_results")
    assert truth(run) == ["failed"]
    assert store.load_run(run).status.error == "The disk is full: free some space and start again."
    assert not list(run.glob("*result*"))
    assert start("quick", text="fits") in [entry.path for entry in store.list_runs()]


def test_a_disk_that_can_only_be_read(small_disk: Path, start: Start) -> None:
    run = start("until", file="never")
    running(run)
    send(run, signal.SIGKILL)
    pid = store.Status.model_validate_json(RunFiles(run).status.read_bytes()).pid
    assert processes.wait_until(lambda: gone(pid or 0), 5)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert truth(run) == ["interrupted"]
    assert '"running"' in RunFiles(run).status.read_text()
    with pytest.raises(FairsalError, match=r"No run can be made in .*no permission for .*Read-only file system"):
        launcher.start("quick", {})
    with pytest.raises(FairsalError, match=r"cannot be deleted.*Read-only"):
        store.delete_run(run)
    with pytest.raises(FairsalError, match="No run can be made in"):
        launcher.resume(run)


@pytest.fixture
def seal() -> Iterator[Callable[[Path], None]]:
    """Take away the permission to write in a folder, also from root."""
    sealed: list[Path] = []

    def seal(folder: Path) -> None:
        if subprocess.run(["chattr", "+i", folder], check=False, capture_output=True).returncode:
            pytest.skip("may not make a folder immutable here (needs root and a file system with attributes)")
        sealed.append(folder)

    yield seal
    for folder in sealed:
        subprocess.run(["chattr", "-i", folder], check=True)


def test_a_run_directory_that_loses_write_permission(start: Start, home: Path, seal: Callable[[Path], None]) -> None:
    run = start("until", file=str(home / "never"))
    running(run)
    seal(run)
    assert truth(run) == ["interrupted"]
    assert "PermissionError" in store.log_tail(run)


def test_a_file_where_the_runs_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FairsalError, match="No run can be made in"):
        launcher.start("quick", {}, root=tmp_path / "file")
    assert store.list_runs(tmp_path / "file") == []
    assert (tmp_path / "file").read_text() == "mine"


# ---- numbers and clocks


def test_a_loss_that_is_no_number(home: Path) -> None:
    run = launcher.run_here("loses_its_number", {"device": "cpu"}, jobs=jobs.JOBS)
    status = store.load_run(run).status
    assert status.state == "failed"
    assert status.error is not None
    assert status.error.startswith("The loss is no longer a number in epoch 1; try a smaller learning rate than 1e+30")


def test_the_clock_is_set_back_during_a_run(start: Start) -> None:
    run = start("clock_goes_back")
    status = ended(run)
    assert status.state == "finished"
    assert status.ended is not None
    assert status.started is not None
    assert status.ended < status.started
    events, _ = store.read_events(run)
    assert events[-1].message == "two hours ago"


def test_the_clock_jumps_between_runs_that_wait(start: Start, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = start("until", file=str(home / "go"))
    running(first)
    waiting = []
    for hours in (24, -24, 0):

        class Clock(datetime):
            @classmethod
            def now(cls, tz: object = None, _hours: int = hours) -> datetime:  # type: ignore[override]
                return datetime.now(UTC) + timedelta(hours=_hours)

        monkeypatch.setattr(store, "datetime", Clock)
        waiting.append(start("quick"))
    monkeypatch.setattr(store, "datetime", datetime)
    (home / "go").touch()
    assert [ended(run, 30).state for run in waiting] == ["finished"] * 3


# ---- directories of elsewhere, and files that are not ours


def copied(run: Path, **status: object) -> Path:
    """Copy a run directory as another machine would have left it, mid-run, without its locks."""
    copy = run.with_name("20250101-101530-from_elsewhere-3f9a")
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("*lock*"))
    elsewhere = {"state": "running", "fraction": 0.5, "pid": os.getpid(), "group": os.getpid(), "machine": "other/1/x"}
    store.write_json(RunFiles(copy).status, {**elsewhere, **status})
    return copy


@pytest.mark.parametrize(
    "status",
    [{}, {"state": "queued", "pid": None, "group": None}, {"machine": processes.machine(), "pid_started": "1"}],
    ids=["running", "queued", "same name"],
)
def test_a_run_copied_from_another_machine(bystander: Path, status: dict[str, object]) -> None:
    copy = copied(bystander, **status)
    assert truth(copy) == ["interrupted"]
    assert resumed(copy).state == "finished"


def test_an_older_boots_processes_are_not_this_ones(bystander: Path) -> None:
    """After a restart of the machine, numbers mean other processes: a group of that number is a stranger's."""
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    before = processes.machine().rpartition("/")[0] + "/another-boot"
    copy = copied(bystander, pid=stranger.pid, group=stranger.pid, machine=before, pid_started="1")
    assert truth(copy) == ["interrupted"]
    assert stranger.poll() is None
    stranger.communicate(b"\n", timeout=20)


def test_a_copy_of_a_run_that_goes_on_is_not_going_on(start: Start, home: Path) -> None:
    run = start("until", file=str(home / "go"))
    running(run)
    copy = run.parent / "20250101-101530-copy-3f9a"
    shutil.copytree(run, copy)
    assert truth(copy) == ["interrupted"]
    assert launcher.is_alive(run)
    (home / "go").touch()
    assert ended(run).state == "finished"


@pytest.mark.parametrize("group", [0, 1, -1])
def test_a_foreign_status_cannot_turn_the_signals_on_us(bystander: Path, group: int) -> None:
    copy = copied(bystander, group=group, pid=2**22 + 1, pid_started="1", machine=processes.machine())
    assert launcher.cancel(copy, grace_seconds=0.1) == "interrupted"
    assert store.load_run(copy).problem is not None


NAMES = ("config.json", "status.json", "events.jsonl", "log.txt", "lock", "cancel")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    (path / "within").mkdir(parents=True)


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def a_dangling_link(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def an_endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_huge_file(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 34)


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 16)


def half_of_it(path: Path) -> None:
    path.write_text('{"format": 1, "kind": "qu')


FOREIGN = (a_pipe, a_folder, a_loop, a_dangling_link, an_endless_device, a_huge_file, binary, half_of_it)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: foreign.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_foreign_files_in_a_run_directory(bystander: Path, name: str, foreign: Callable[[Path], None]) -> None:
    run = copied(bystander)
    (run / name).unlink(missing_ok=True)
    foreign(run / name)
    assert truth(run) in (["interrupted"], ["cancelled"])
    store.log_tail(run)
    store.read_events(run)
    try:
        store.delete_run(run)
        assert not run.exists()
    except FairsalError as error:
        assert "\n" not in str(error)
