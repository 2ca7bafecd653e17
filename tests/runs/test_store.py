"""Run directories as they should be, and as a crash, a person or another program may leave them."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.runs import processes, store
from fairsal_core.runs.events import Event
from fairsal_core.runs.layout import RunFiles
from fairsal_core.settings import ExperimentConfig


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def finished(root: Path, name: str = "done") -> Path:
    run = store.create_run("experiment", {"a": 1}, root, name)
    store.end_run(run, "finished")
    return run


def state_of(run: Path) -> store.State:
    return store.load_run(run).status.state


def test_a_new_run_says_what_was_asked(root: Path) -> None:
    run = finished(root, "Blond Hair, 0.7")
    loaded = store.load_run(run)
    assert re.fullmatch(r"\d{8}-\d{6}-blond_hair_0_7-[0-9a-f]{4}", loaded.id)
    assert (loaded.kind, loaded.config, loaded.name, loaded.problem) == (
        "experiment",
        {"a": 1},
        "Blond Hair, 0.7",
        None,
    )
    assert abs((loaded.created - datetime.now(UTC)).total_seconds()) < 60
    assert json.loads((run / "config.json").read_text())["format"] == 1
    assert store.run_path(loaded.id, root) == run


@pytest.mark.parametrize("name", ["../../etc/passwd", "髪", "", "x" * 500, "-", "a\nb"])
def test_any_name_makes_a_safe_id(root: Path, name: str) -> None:
    run = finished(root, name)
    assert run.parent == root
    assert store.run_path(run.name, root) == run


def test_runs_are_listed_newest_first(root: Path) -> None:
    runs = [finished(root, name) for name in ("c", "a", "b")]
    assert [run.path for run in store.list_runs(root)] == runs[::-1]


def test_no_runs_folder_is_no_runs(root: Path) -> None:
    assert store.list_runs(root) == []
    with pytest.raises(FairsalError, match="no runs"):
        store.run_path("20261122-101530-a-0000", root)


@pytest.mark.parametrize(
    "run_id", ["..", ".", "", "../runs", "/etc", "20261122-101530-../../etc-3f9a", "20261122-101530-a-3f9a\n", "a\0b"]
)
def test_an_id_cannot_lead_out_of_the_runs_folder(root: Path, run_id: str) -> None:
    finished(root)
    with pytest.raises(FairsalError, match="There is no run"):
        store.run_path(run_id, root)


def test_a_link_is_not_a_run(root: Path, tmp_path: Path) -> None:
    run = finished(root)
    link = root / "20261122-101530-link-3f9a"
    link.symlink_to(tmp_path)
    assert [entry.path for entry in store.list_runs(root)] == [run]
    with pytest.raises(FairsalError, match="There is no run"):
        store.run_path(link.name, root)
    with pytest.raises(FairsalError, match="not a run"):
        store.delete_run(link)


def test_an_unknown_run_names_the_nearest(root: Path) -> None:
    run = finished(root)
    with pytest.raises(FairsalError, match=f"did you mean '{run.name}'"):
        store.run_path(f"{run.name[:-1]}x", root)


def test_the_terminal_state_is_written_once(root: Path) -> None:
    run = finished(root)
    before = RunFiles(run).status.read_bytes()
    assert store.end_run(run, "failed", "late").state == "finished"
    assert store.update_status(run, state="running", fraction=0.5).state == "finished"
    assert state_of(run) == "finished"
    assert RunFiles(run).status.read_bytes() == before


def test_of_many_who_write_an_end_at_once_one_does(root: Path) -> None:
    ends: list[store.State] = ["finished", "failed", "cancelled", "interrupted"]
    for _ in range(5):
        run, lock = store.create_locked_run("experiment", {}, root)
        with ThreadPoolExecutor(len(ends)) as writers:
            told = {status.state for status in writers.map(partial(store.end_run, run), ends)}
        assert told == {state_of(run)}
        processes.unlock(lock)


def test_a_run_is_never_seen_without_its_lock_while_it_is_made(root: Path) -> None:
    run, lock = store.create_locked_run("experiment", {}, root)
    assert state_of(run) == "queued"
    processes.unlock(lock)
    assert state_of(run) == "interrupted"
    ended = store.load_run(run).status.ended
    assert store.load_run(run).status.ended == ended  # written once, not at every reading


def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(root: Path) -> None:
    run = store.create_run("experiment", {}, root)
    RunFiles(run).cancel.touch()
    assert state_of(run) == "cancelled"


def test_a_config_that_is_no_json_leaves_nothing(root: Path) -> None:
    with pytest.raises(TypeError):
        store.create_run("experiment", {"a": object()}, root)
    assert list(root.iterdir()) == []


GARBAGE = [b"", b"{", b'{"state": "run', b"[]", b"null", b'"x"', b"\xff\xfe\x00", b'{"state": "sleeping"}', b"[" * 5000]


@pytest.mark.parametrize("content", GARBAGE)
def test_a_torn_or_foreign_status_is_a_problem_and_is_left_alone(root: Path, content: bytes) -> None:
    run = finished(root)
    RunFiles(run).status.write_bytes(content)
    (loaded,) = store.list_runs(root)
    assert loaded.status.state == "interrupted"
    assert loaded.problem is not None
    assert loaded.status.error == loaded.problem
    assert loaded.config == {"a": 1}
    assert RunFiles(run).status.read_bytes() == content


@pytest.mark.parametrize("content", [*GARBAGE, b'{"format": 2}', b'{"format": 1, "kind": 5, "config": []}'])
def test_a_torn_or_foreign_config_is_a_problem(root: Path, content: bytes) -> None:
    run = finished(root)
    RunFiles(run).config.write_bytes(content)
    (loaded,) = store.list_runs(root)
    assert loaded.problem is not None
    assert loaded.problem.startswith("config.json")
    assert (loaded.kind, loaded.config) == ("unknown", {})
    assert loaded.status.state == "finished"
    assert loaded.created.year >= 2024  # from the id


def test_whatever_else_lies_in_the_runs_folder_is_passed_over(root: Path) -> None:
    run = finished(root)
    (root / "notes.txt").write_text("mine")
    (root / "20261122-101530-a_file-3f9a").write_text("not a folder")
    (root / "my copy").mkdir()
    (root / ".new-123").mkdir()
    (root / ("20261122-101530-" + "x" * 41 + "-3f9a")).mkdir()
    assert [entry.path for entry in store.list_runs(root)] == [run]


def test_an_empty_folder_with_an_id_is_a_run_with_a_problem_and_stays_empty(root: Path) -> None:
    run = root / "20261122-101530-empty-3f9a"
    run.mkdir(parents=True)
    (loaded,) = store.list_runs(root)
    assert (loaded.status.state, loaded.problem) == ("interrupted", "config.json is missing.")
    assert loaded.created == datetime(2026, 11, 22, 10, 15, 30, tzinfo=UTC)
    assert list(run.iterdir()) == []


def test_folders_where_files_should_be(root: Path) -> None:
    run = finished(root)
    for name in ("config.json", "status.json"):
        (run / name).unlink()
        (run / name).mkdir()
    RunFiles(run).log.mkdir()
    assert store.load_run(run).status.state == "interrupted"
    assert store.log_tail(run) == ""


def test_a_run_whose_status_is_unreadable_but_locked_is_going(root: Path) -> None:
    run, lock = store.create_locked_run("experiment", {}, root)
    RunFiles(run).status.write_text("{")
    assert state_of(run) == "running"
    processes.unlock(lock)


def test_events_are_read_on_from_where_one_stopped(root: Path) -> None:
    run = finished(root)
    assert store.read_events(run) == ([], 0)
    store.append_event(run, Event(1.0, "train", 0.25, "epoch 1", {"loss": 0.5}))
    events, offset = store.read_events(run)
    assert events == [Event(1.0, "train", 0.25, "epoch 1", {"loss": 0.5})]
    store.append_event(run, Event(2.0, "train", 0.5, "epoch 2", {"loss": float("nan")}))
    with RunFiles(run).events.open("a") as stream:
        stream.write('{"time": 3.0, "sta')
    events, offset = store.read_events(run, offset)
    assert [event.message for event in events] == ["epoch 2"]
    assert events[0].numbers["loss"] != events[0].numbers["loss"]  # NaN
    with RunFiles(run).events.open("a") as stream:
        stream.write('ge": "train", "fraction": 0.75, "message": "epoch 3"}\n')
    events, offset = store.read_events(run, offset)
    assert [event.message for event in events] == ["epoch 3"]
    assert offset == RunFiles(run).events.stat().st_size


@pytest.mark.parametrize("line", ["{", "5", "[]", "null", "{}", '{"time": "noon"}', "\N{SNOWMAN}", ""])
def test_lines_that_are_no_events_are_passed_over(root: Path, line: str) -> None:
    run = finished(root)
    RunFiles(run).events.write_text(line + "\n", encoding="utf-8")
    store.append_event(run, Event(1.0, "a", 0.0))
    assert store.read_events(run)[0] == [Event(1.0, "a", 0.0)]


def test_the_tail_of_a_long_log(root: Path) -> None:
    run = finished(root)
    assert store.log_tail(run) == ""
    RunFiles(run).log.write_bytes(b"\xff" * 100_000 + b"\n" + b"\n".join(b"%d" % i for i in range(1000)) + b"\n")
    assert store.log_tail(run, lines=2) == "998\n999"


def test_deleting_takes_the_whole_run_and_nothing_else(root: Path, tmp_path: Path) -> None:
    run, other = finished(root, "a"), finished(root, "b")
    store.delete_run(run)
    assert list(root.iterdir()) == [other]
    with pytest.raises(FairsalError, match="There is no run"):
        store.delete_run(run)
    with pytest.raises(FairsalError, match="not a run"):
        store.delete_run(tmp_path)


def test_a_locked_run_is_not_deleted(root: Path) -> None:
    run, lock = store.create_locked_run("experiment", {}, root)
    with pytest.raises(FairsalError, match="cancel it"):
        store.delete_run(run)
    processes.unlock(lock)
    store.delete_run(run)


def test_two_thousand_runs_are_listed_within_a_second(root: Path) -> None:
    config = ExperimentConfig().model_dump(mode="json")
    content = json.dumps({"format": 1, "kind": "experiment", "config": config, "created": "2026-11-22T10:15:30+00:00"})
    for number in range(2000):
        run = root / f"20261122-101530-many-{number:04x}"
        run.mkdir(parents=True)
        RunFiles(run).config.write_text(content)
        RunFiles(run).status.write_text(store.Status(state="finished").model_dump_json())
    seconds = []
    for _ in range(3):  # the best of them: other tests use the machine
        began = time.process_time()
        assert len(store.list_runs(root)) == 2000
        seconds.append(time.process_time() - began)
    assert min(seconds) < 1
