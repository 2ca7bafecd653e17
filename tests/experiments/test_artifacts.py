"""What a stage made is made once, and is whole or absent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fairsal_core.experiments import artifacts
from fairsal_core.experiments.artifacts import artifact
from fairsal_core.files import read_json
from fairsal_core.home import cache_folder


class Builder:
    def __init__(self, content: str = "made") -> None:
        self.content, self.calls = content, 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        assert list(folder.iterdir()) == []
        (folder / "result.txt").write_text(self.content)


@pytest.fixture(autouse=True)
def _home(home: Path) -> Path:
    return home


def test_built_once(home: Path) -> None:
    build = Builder()
    first, second = (artifact("maps", {"a": 1, "b": [2]}, build) for _ in range(2))
    assert first == second
    assert build.calls == 1
    assert first.parent == home / "cache" / "maps"
    assert (first / "result.txt").read_text() == "made"
    assert read_json(first / "depends_on.json") == {"a": 1, "b": [2]}


def test_whatever_it_depends_on_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    folders = {artifact("maps", {"a": 1}, build), artifact("maps", {"a": 2}, build), artifact("other", {"a": 1}, build)}
    monkeypatch.setattr(artifacts, "_FORMAT", 999)
    folders.add(artifact("maps", {"a": 1}, build))
    assert len(folders) == build.calls == 4


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_remains_of_a_build_that_fails(error: type[BaseException]) -> None:
    def fail(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise error

    with pytest.raises(error):
        artifact("maps", {"a": 1}, fail)
    assert [path.name for path in (cache_folder() / "maps").iterdir() if path.is_dir()] == []
    build = Builder()
    assert [path.name for path in sorted(artifact("maps", {"a": 1}, build).iterdir())] == [
        "depends_on.json",
        "result.txt",
    ]
    assert build.calls == 1


def test_two_at_once_build_it_once() -> None:
    started, go_on = threading.Event(), threading.Event()
    calls = []

    def build(folder: Path) -> None:
        calls.append(folder)
        started.set()
        assert go_on.wait(10)
        (folder / "result.txt").write_text("made")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(artifact, "maps", {"a": 1}, build)
        assert started.wait(10)
        second = pool.submit(artifact, "maps", {"a": 1}, build)
        with pytest.raises(TimeoutError):
            second.result(timeout=0.2)  # it waits for the first
        go_on.set()
        assert first.result(10) == second.result(10)
    assert len(calls) == 1
