"""Pruning deletes what nobody needs, says so first, and nothing else."""

import json
import threading
from pathlib import Path

import pytest

from fairsal_core.cli import main
from fairsal_core.errors import FairsalError
from fairsal_core.home import cache_folder
from fairsal_core.runs import delete_run, leftovers, prune, pruning
from fairsal_core.runs.artifacts import artifact
from fairsal_core.runs.store import create_locked_run, create_run, end_run
from fairsal_core.runs.usage import noting


def made(stage: str, number: int) -> Path:
    return artifact(stage, {"number": number}, lambda folder: (folder / "x.bin").write_bytes(bytes(1000)) and None)


def a_run(*artifacts: tuple[str, int], state: str | None = "finished") -> Path:
    run = create_run("experiment", {})
    with noting(run):
        for stage, number in artifacts:
            made(stage, number)
    (run / "artifacts.txt").touch()
    if state:
        end_run(run, state)  # type: ignore[arg-type]
    return run


@pytest.fixture(autouse=True)
def _home(home: Path) -> Path:
    return home


def test_what_a_run_has_used_stays_until_the_run_is_deleted() -> None:
    run = a_run(("classifiers", 1), ("maps", 2), state="interrupted")
    unused = made("classifiers", 3)
    assert [leftover.path for leftover in leftovers()] == [unused]
    assert unused.is_dir(), "a look deletes nothing"
    assert [leftover.path for leftover in prune()] == [unused]
    assert not unused.exists()
    assert leftovers() == []
    delete_run(run)
    assert {leftover.path for leftover in leftovers()} == {made("classifiers", 1), made("maps", 2)}


def test_region_classifiers_and_packed_faces_stay() -> None:
    made("regions", 1)
    packed = cache_folder() / "celeba-0123456789abcdef"
    packed.mkdir()
    (packed / "manifest.json").write_text("{}")
    assert leftovers() == []


def test_a_run_that_noted_nothing_keeps_all_that_is_older() -> None:
    older = made("classifiers", 1)
    run = create_run("experiment", {})
    end_run(run, "finished")
    assert leftovers() == []
    delete_run(run)
    assert [leftover.path for leftover in leftovers()] == [older]


def test_nothing_is_deleted_while_a_run_goes() -> None:
    unused = made("classifiers", 1)
    run, _lock = create_locked_run("experiment", {})
    (run / "artifacts.txt").touch()
    with pytest.raises(FairsalError, match="is going: prune when no run is"):
        prune()
    assert unused.is_dir()


def test_what_killed_processes_left_goes() -> None:
    folder = cache_folder() / "classifiers"
    draft = folder / ".0123456789abcdef.1a2b3c4d.tmp"
    draft.mkdir(parents=True)
    runs = a_run().parent
    for name in (".new-1", ".deleted-20261122-101530-a-3f9a-12345678"):
        (runs / name).mkdir()
    assert {leftover.path.name for leftover in prune()} == {
        draft.name,
        ".new-1",
        ".deleted-20261122-101530-a-3f9a-12345678",
    }
    assert len(list(runs.iterdir())) == 1


def test_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    unused = made("classifiers", 1)
    assert main(["runs", "prune", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert not told["deleted"]
    assert [item["path"] for item in told["leftovers"]] == [str(unused)]
    assert told["bytes"] > 1000
    assert unused.is_dir()
    assert main(["runs", "prune", "--delete"]) == 0
    assert "Deleted: 1 leftovers" in capsys.readouterr().out
    assert not unused.exists()


def test_no_run_starts_while_it_prunes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that starts after the look at who is going would find what is about to be deleted."""
    unused = made("maps", 1)
    started = threading.Event()

    def start() -> None:
        create_run("experiment", {})
        started.set()

    starting = threading.Thread(target=start)
    look = pruning.leftovers

    def slow_look() -> list[pruning.Leftover]:
        starting.start()
        assert not started.wait(0.3)
        return look()

    monkeypatch.setattr(pruning, "leftovers", slow_look)
    assert [leftover.path for leftover in pruning.prune()] == [unused]
    assert started.wait(10)
    starting.join()
    assert not unused.exists()
    assert [path for path in unused.parent.iterdir() if path.is_dir()] == []


def test_a_run_may_start_while_it_deletes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made("maps", 1)
    began = []

    def delete(path: Path, **how: object) -> None:
        began.append(create_run("experiment", {}))

    monkeypatch.setattr(pruning.shutil, "rmtree", delete)
    pruning.prune()
    assert began[0].is_dir()
