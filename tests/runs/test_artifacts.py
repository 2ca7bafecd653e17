"""What a stage made is made once, and is whole or absent."""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import fairsal_core
from fairsal_core import hashing, manifests
from fairsal_core.files import read_json
from fairsal_core.hashing import file_digest
from fairsal_core.home import cache_folder
from fairsal_core.manifests import read_manifest
from fairsal_core.runs import artifacts
from fairsal_core.runs.artifacts import artifact, kept_artifacts
from fairsal_core.versions import versions


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
        "manifest.json",
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


def damages(path: Path) -> dict[str, Callable[[], object]]:
    """Return ways to damage a file, by name."""
    content = path.read_bytes()
    flipped = bytes([content[0] ^ 1]) + content[1:]
    return {
        "a bit flipped": lambda: path.write_bytes(flipped),
        "cut": lambda: path.write_bytes(content[:-2]),
        "emptied": lambda: path.write_bytes(b""),
        "gone": path.unlink,
    }


@pytest.mark.parametrize("damage", ["a bit flipped", "cut", "emptied", "gone"])
@pytest.mark.parametrize("file", ["result.txt", "maps.npy", "depends_on.json", "manifest.json"])
def test_what_is_damaged_is_told_and_made_again(file: str, damage: str) -> None:
    calls, told = [], []

    def build(folder: Path) -> None:
        calls.append(folder)
        (folder / "result.txt").write_text("made")
        (folder / "maps.npy").write_bytes(b"an array")

    made = artifact("maps", {"a": 1}, build)
    whole = {path.name: path.read_bytes() for path in made.iterdir() if path.name != "manifest.json"}
    damages(made / file)[damage]()
    assert artifact("maps", {"a": 1}, build, told.append) == made
    assert {path.name: path.read_bytes() for path in made.iterdir() if path.name != "manifest.json"} == whole
    assert len(calls) == 2
    assert len(told) == 1
    assert told[0].startswith(f"What was kept as cache/maps/{made.name} is damaged (")
    assert artifact("maps", {"a": 1}, build, told.append) == made
    assert (len(calls), len(told)) == (2, 1)


def test_one_from_before_manifests_is_made_again() -> None:
    build, told = Builder(), []
    made = artifact("maps", {"a": 1}, build)
    (made / "manifest.json").unlink()
    artifact("maps", {"a": 1}, build, told.append)
    assert build.calls == 2
    assert "it has no manifest" in told[0]


def test_the_manifest_says_what_it_was_made_with() -> None:
    made = artifact("maps", {"a": 1}, Builder())
    manifest = read_manifest(made)
    assert manifest is not None
    assert manifest["made_with"] == versions()
    assert manifest["files"]["result.txt"] == {"bytes": 4, "sha256": hashlib.sha256(b"made").hexdigest()}
    assert set(manifest["files"]) == {"depends_on.json", "result.txt"}


def test_every_file_is_on_the_disk_before_its_name_is(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(descriptor: int) -> None:
        happened.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)
        fsync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        happened.append(f"-> {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    made = artifact("maps", {"a": 1}, Builder())
    name = happened.index(f"-> {made.name}")
    manifest = next(number for number, each in enumerate(happened) if each.startswith(".manifest.json"))
    assert {"result.txt", "depends_on.json"} <= set(happened[:manifest])
    assert happened[manifest + 1 : name] == [
        next(each for each in happened if each.endswith(".tmp") and "manifest" not in each)
    ]
    assert happened[name + 1 :] == ["maps"]


def test_large_arrays_are_read_once_in_a_process_unless_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def spy(path: Path) -> str:
        read.append(path.name)
        return file_digest(path)

    def build(folder: Path) -> None:
        (folder / "maps.npy").write_bytes(b"an array")
        (folder / "weights").write_bytes(b"weights")

    artifact("maps", {"a": 1}, build)
    hashing._read.clear()
    for module in (hashing, manifests):
        monkeypatch.setattr(module, "file_digest", spy)
    made = artifact("maps", {"a": 1}, build)
    assert sorted(read) == ["depends_on.json", "maps.npy", "weights"]
    read.clear()
    artifact("maps", {"a": 1}, build)
    assert sorted(read) == ["depends_on.json", "weights"]
    read.clear()
    os.utime(made / "maps.npy", ns=(1, 1))
    artifact("maps", {"a": 1}, build)
    assert sorted(read) == ["depends_on.json", "maps.npy", "weights"]


def test_torchs_series_decides_and_what_fairsal_calls_itself_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    build = Builder()
    made = artifact("maps", {"a": 1}, build)
    monkeypatch.setattr(fairsal_core, "__version__", "99.0")
    assert artifact("maps", {"a": 1}, build) == made
    monkeypatch.setattr(artifacts, "torch_series", lambda: "99.0")
    assert artifact("maps", {"a": 1}, build) != made
    assert build.calls == 2


def test_only_what_can_be_used_is_on_offer() -> None:
    made = [artifact("maps", {"a": number}, Builder(str(number))) for number in range(3)]
    (made[1] / "result.txt").write_text("x")
    assert [depends_on for _, depends_on in kept_artifacts("maps")] == [{"a": 0}, {"a": 2}]
    made[0].rename(made[0].with_name("0123456789abcdef"))  # of another version, or someone else's
    assert [depends_on for _, depends_on in kept_artifacts("maps")] == [{"a": 2}]
