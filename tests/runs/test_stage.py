"""What a stage makes is made once, and known by all that it depends on; a pipeline shares out its progress by the work."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fairsal_core.files import read_json
from fairsal_core.progress import Progress
from fairsal_core.runs.events import Event, JobProgress
from fairsal_core.runs.stage import Stage, Step, run_steps


@pytest.fixture
def built() -> list[str]:
    return []


@pytest.fixture
def stage(home: Path, built: list[str]) -> Stage[str]:
    def build(folder: Path, progress: Progress) -> None:
        built.append(folder.name)
        progress(1, 2, "half")
        (folder / "word.txt").write_text("made")

    return Stage("words", 1, {"of": "this"}, build, read=lambda folder: (folder / "word.txt").read_text())


def test_it_is_made_once(stage: Stage[str], built: list[str], home: Path) -> None:
    assert not stage.is_made
    told: list[tuple[float, float, str]] = []
    assert stage.make(lambda *said: told.append(said)) == "made"
    assert stage.is_made
    assert stage.make() == "made"
    assert len(built) == 1
    assert told == [(1, 2, "half")]
    assert read_json(home / "cache" / "words" / stage.key / "depends_on.json") == {"version": 1, "of": "this"}


def test_another_version_or_anything_it_depends_on_gives_another(stage: Stage[str], built: list[str]) -> None:
    others = [replace(stage, version=2), replace(stage, depends_on={"of": "that"}), replace(stage, name="other")]
    stage.make()
    for other in others:
        assert not other.is_made
        other.make()
    assert len(built) == 1 + len(others)
    assert len({each.key for each in (stage, *others[:2])}) == 3
    assert stage.identity == {"version": 1, "of": "this"}


def test_what_was_made_on_the_way_to_another_is_taken(stage: Stage[str], built: list[str]) -> None:
    assert stage.put(lambda folder: (folder / "word.txt").write_text("passed")) == "passed"  # type: ignore[arg-type, return-value]
    assert stage.make() == "passed"
    assert stage.put(lambda folder: pytest.fail("it is there")) == "passed"
    assert built == []


def test_nothing_remains_of_one_that_fails(stage: Stage[str], home: Path) -> None:
    def fails(folder: Path, progress: Progress) -> None:
        (folder / "half").write_text("")
        raise ValueError("no luck")

    failing = replace(stage, build=fails)
    with pytest.raises(ValueError, match="no luck"):
        failing.make()
    assert not failing.is_made
    assert [path.name for path in (home / "cache" / "words").iterdir() if path.is_dir()] == []


def test_steps_get_the_progress_that_their_work_is_of_what_is_left() -> None:
    events: list[Event] = []
    progress = JobProgress(show=events.append)
    left = {"a": 3.0, "b": 1.0, "c": 1.0}
    steps = [
        Step("a", lambda: left["a"], lambda: left.update(b=0.0)),  # what b would make is there then
        Step("b", lambda: left["b"], lambda: None),
        Step("c", lambda: left["c"], lambda: None),
    ]
    progress.stage("faces", share=0.1)
    run_steps(steps, progress, share=0.5)
    progress.stage("results", share=1.0)
    begun = {event.stage: event.fraction for event in events}
    assert begun == pytest.approx({"faces": 0.0, "a": 0.1, "b": 0.4, "c": 0.4, "results": 0.6})


def test_a_pipeline_without_work_still_does_its_steps() -> None:
    done: list[str] = []
    events: list[Event] = []
    note: Callable[[str], Callable[[], None]] = lambda name: lambda: done.append(name)  # noqa: E731
    run_steps([Step(name, lambda: 0.0, note(name)) for name in "ab"], JobProgress(show=events.append), share=0.8)
    assert done == ["a", "b"]
    assert [event.fraction for event in events] == [0.0, 0.0]
