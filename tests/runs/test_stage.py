"""What a stage makes is made once, and known by all that it depends on; a pipeline shares out its progress by the work."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
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


def test_the_time_left_is_told_by_what_each_kind_of_step_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline of two seeds, each a training of 10 s and two methods of 40 s and 4 s, all thought to be the same work."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    seconds = {"training": 10.0, "slow": 40.0, "quick": 4.0}
    events: list[Event] = []
    progress = JobProgress(show=events.append)

    def do(name: str) -> None:
        for part in (1, 2):
            now[0] += seconds[name] / 2
            progress(part, 2, f"{name}, {part}")

    steps = [
        Step(name, lambda: 1.0, partial(do, name), kind)
        for kind in (("training",), ("training",), ("method", "slow"), ("method", "quick")) * 2
        for name in kind[-1:]
    ]
    run_steps(steps, progress, share=1.0)
    told = [event.eta_seconds for event in events if event.message.endswith("1")]
    assert told[0] == pytest.approx(5 + 7 * 10)  # all that is known is this training
    assert told[2] == pytest.approx(20 + 40 + 2 * 10 + 40 + 40)  # another method is expected to take as long
    assert told[3] == pytest.approx(2 + 2 * 10 + 40 + 4)
    assert told[5] == pytest.approx(5 + 40 + 4)


def test_what_was_there_already_tells_nothing_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    events: list[Event] = []
    progress = JobProgress(show=events.append)

    def train() -> None:
        now[0] += 5
        progress(1, 2, "half")
        now[0] += 5

    reused = [Step("reused", lambda: 1.0, lambda: None, ("training",)) for _ in range(2)]
    trained = [Step("trained", lambda: 1.0, train, ("training",)) for _ in range(2)]
    run_steps([*reused, *trained], progress, share=0.8)
    first = next(event for event in events if event.message == "half")
    assert first.eta_seconds == pytest.approx(5 + 10 + 20 * 0.2 / 0.8)
