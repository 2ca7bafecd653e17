"""What a job says, and how much of it is passed on."""

import json
import math

import numpy as np
import pytest

from fairsal_core.errors import CancelledError
from fairsal_core.progress import Progress
from fairsal_core.runs import events as reporting
from fairsal_core.runs.events import Event, JobProgress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A monotonic clock that stands still until a test moves it."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_report_is_a_progress_and_needs_no_listener() -> None:
    progress: Progress = JobProgress()
    progress(1, 2, "half")


def test_the_first_and_last_of_a_stage_and_all_numbers_are_kept(clock: list[float]) -> None:
    kept: list[Event] = []
    shown: list[Event] = []
    report = JobProgress(kept.append, shown.append)
    report.stage("train", share=0.5)
    for step in range(1, 101):
        report(step, 100, **({"loss": 0.1} if step == 50 else {}))
    report(100, 100)
    assert [round(event.fraction, 3) for event in kept] == [0.0, 0.25, 0.5]
    assert [round(event.fraction, 3) for event in shown] == [0.0, 0.5]


def test_a_slow_job_is_shown_four_times_a_second_and_kept_once(clock: list[float]) -> None:
    kept: list[Event] = []
    shown: list[Event] = []
    report = JobProgress(kept.append, shown.append)
    for step in range(100):
        report(step, 1000)
        clock[0] += 0.0625
    assert (len(shown), len(kept)) == (25, 7)


def test_the_time_left_follows_the_pace_of_this_stage(clock: list[float]) -> None:
    shown: list[Event] = []
    report = JobProgress(show=shown.append)
    report.stage("reused", share=0.5)
    report(1, 1)
    report.stage("train", share=0.25)
    clock[0] += 10
    report(1, 2)
    # Half of a quarter of the job took 10 s: the other half, and another quarter, are to come.
    assert shown[-1].eta_seconds == pytest.approx(10 + 20)
    report.stage("explain", share=0.25)
    assert shown[-1].eta_seconds is None


def test_what_goes_on_beside_a_stage_has_its_own_name() -> None:
    heard: list[Event] = []
    report = JobProgress(record=heard.append)
    report.stage("original, all seeds", share=0.5)
    report(1, 2, "epoch 1")
    report.beside("original, seed 3", "epoch 1", loss=0.25)
    report(2, 2, "epoch 2")
    assert [(event.stage, event.fraction, dict(event.numbers)) for event in heard[-2:]] == [
        ("original, seed 3", 0.25, {"loss": 0.25}),
        ("original, all seeds", 0.5, {}),
    ]


def test_the_fraction_stays_between_0_and_1() -> None:
    shown: list[Event] = []
    report = JobProgress(show=shown.append)
    for stage in range(12):
        report.stage(f"stage {stage}", share=0.1)
        report(3, 2)
    report.stage("nothing to do", share=0.1)
    report(0, 0)
    report.stage("nonsense", share=0.1)
    report(math.nan, 2)
    assert all(0 <= event.fraction <= 1 for event in shown)
    assert sorted(event.fraction for event in shown) == [event.fraction for event in shown]


def test_a_request_to_stop_raises_at_the_next_call() -> None:
    asked = [False]
    report = JobProgress(cancelled=lambda: asked[0])
    report(1, 3)
    asked[0] = True
    with pytest.raises(CancelledError):
        report(2, 3)
    with pytest.raises(CancelledError):
        report.stage("next", share=0.1)


def test_events_are_valid_json_whatever_the_numbers() -> None:
    kept: list[Event] = []
    report = JobProgress(record=kept.append)
    report(1, 2, loss=np.float32(0.5), accuracy=math.inf, gap=math.nan)
    text = json.dumps(kept[0].as_json(), allow_nan=False)
    again = Event.from_json(json.loads(text))
    assert again.numbers["loss"] == 0.5
    assert math.isnan(again.numbers["accuracy"])
    assert math.isnan(again.numbers["gap"])


def test_a_number_cannot_hide_a_field() -> None:
    with pytest.raises(TypeError, match="'fraction'"):
        JobProgress()(1, 2, fraction=0.5)
    assert reporting._RESERVED == ("time", "stage", "fraction", "message")


def test_progress_never_goes_back() -> None:
    """A stage may count twice, as one that trains and then judges does."""
    heard: list[Event] = []
    report = JobProgress(record=heard.append)
    report.stage("train and judge", share=0.5)
    for done in (0, 5, 10, 0, 5, 10):
        report(done, 10, loss=0.0)
    assert [event.fraction for event in heard] == [0.0, 0.0, 0.25, 0.5, 0.5, 0.5, 0.5]
