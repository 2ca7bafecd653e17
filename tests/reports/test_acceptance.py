"""Verdicts follow from intervals, and only from them."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fairsal_core.metrics import METRICS, Interval, size_of
from fairsal_core.reports import Acceptance, at_least, at_most, judge, judgements, offered_criteria, overall
from fairsal_core.reports.acceptance import TOO_FEW, judge_groups
from fairsal_core.results import over_all_seeds, read_results, results_table
from fairsal_core.scan import KeptGroups
from tests.helpers import register
from tests.metrics.foreign import FOREIGN
from tests.reports.conftest import MakeRun, made_up_predictions

numbers = st.floats(-1, 1)


@given(numbers, numbers, numbers)
def test_a_limit_inside_the_interval_is_never_decided(one: float, other: float, limit: float) -> None:
    low, high = sorted((one, other))
    verdict = at_most(Interval(low, high), limit)
    assert (verdict == "too few images to say") == (low <= limit < high)
    assert at_least(Interval(-high, -low), -limit) == verdict


@given(numbers, numbers, st.floats(0, 1))
def test_the_size_of_a_gap_has_the_interval_of_every_size_in_it(one: float, other: float, share: float) -> None:
    low, high = sorted((one, other))
    inside = min(max(low + share * (high - low), low), high)
    size = size_of(Interval(low, high))
    assert size.low <= abs(inside) <= size.high
    assert {size.low, size.high} <= {0.0, abs(low), abs(high)}


def test_what_was_not_measured_does_not_pass() -> None:
    nan = float("nan")
    assert at_most(Interval(nan, nan), 0.1) == "not measured"


def rows(gap: tuple[float, float, float], cells: list[tuple[float, float, float]]) -> pd.DataFrame:
    names = ["men with hat", "men without hat", "women with hat", "women without hat"]
    table = [
        ("gap", "women - men", *gap),
        *(("accuracy", name, *cell) for name, cell in zip(names, cells, strict=True)),
    ]
    return pd.DataFrame(table, columns=["metric", "group", "value", "low", "high"]).assign(n=50)


GOOD = (0.9, 0.8, 0.95)


@pytest.mark.parametrize(
    ("gap", "cells", "verdict"),
    [
        ((0.01, -0.05, 0.06), [GOOD] * 4, "pass"),
        ((0.01, -0.05, 0.2), [GOOD] * 4, "too few images to say"),
        ((-0.3, -0.4, -0.2), [GOOD] * 4, "fail"),
        ((0.01, -0.05, 0.06), [GOOD, GOOD, GOOD, (0.3, 0.2, 0.4)], "fail"),
        # The worst cell straddles the limit; another, better one fails outright: that decides.
        ((0.0, -0.05, 0.05), [GOOD, GOOD, (0.5, 0.3, 0.7), (0.55, 0.52, 0.58)], "fail"),
    ],
)
def test_all_criteria_together(gap: tuple, cells: list, verdict: str) -> None:
    judged = judge(rows(gap, cells), Acceptance(limits={"gap": 0.1, "worst_cell": 0.6}))
    assert overall(judged) == verdict


def test_an_rrf_that_is_asked_for_and_not_measured_keeps_from_passing() -> None:
    table, wanted = rows((0.0, -0.05, 0.05), [GOOD] * 4), Acceptance(limits={"gap": 0.1, "worst_cell": 0.6, "rrf": 0.3})
    assert overall(judge(table, wanted)) == "not measured"
    measured = {
        "metric": "rrf",
        "group": ["all", "men"],
        "value": [0.2, 0.9],
        "low": 0.1,
        "high": [0.25, 0.95],
        "n": 40,
    }
    judged = judge(table, wanted, pd.DataFrame(measured))
    assert overall(judged) == "pass"
    assert judged[2] == ("RRF", 0.2, Interval(0.1, 0.25), 40, 0.3, "pass", "at most", "")


def test_every_variant_of_a_run_is_judged(make_run: MakeRun) -> None:
    run = make_run()
    results = read_results(run.path)
    judged = judgements(results, Acceptance())
    assert len(judged) == 6
    original = next(item for item in judged if item.variant == "original" and item.evaluation == "clean")
    assert original.verdict == "fail"
    assert original.criteria[1].criterion == "worst cell (men with Blond_Hair)"
    pooled = over_all_seeds(results)
    gap = pooled[(pooled["variant"] == "original") & (pooled["metric"] == "gap") & (pooled["evaluation"] == "clean")]
    assert original.criteria[0].value == abs(gap["value"].iloc[0])


@pytest.mark.parametrize(
    ("fields", "limits"),
    [
        ({"gap_at_most": 0.05, "worst_cell_at_least": None, "rrf_at_most": 0.4}, {"gap": 0.05, "rrf": 0.4}),
        ({"rrf_at_most": 0.3}, {"gap": 0.1, "worst_cell": 0.6, "rrf": 0.3}),
        ({"gap_at_most": None, "worst_cell_at_least": None, "rrf_at_most": None}, {}),
    ],
)
def test_thresholds_of_before_are_limits_of_their_metrics(fields: dict, limits: dict) -> None:
    found = Acceptance.model_validate(fields)
    assert found == Acceptance(limits=limits)
    assert list(found.limits) == list(limits)
    assert Acceptance.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    "content",
    [
        {"gap_at_most": 1.5},
        {"gap_at_most": 0.1, "mrr_at_most": 2.0},
        {"limits": {"gap": -0.1}},
        {"limits": {"rrf": 1.1}},
        {"limits": {"gap": float("nan")}},
        {"limits": {"gap": None}},
        {"limits": {}, "gap_at_most": 0.1},
    ],
)
def test_limits_that_say_nothing_are_refused(content: dict) -> None:
    with pytest.raises(ValidationError):
        Acceptance.model_validate(content)


def test_what_the_criteria_are_called() -> None:
    table, wanted = rows((-0.3, -0.4, -0.2), [GOOD] * 4), Acceptance(limits={"rrf": 0.3, "worst_cell": 0.6, "gap": 0.1})
    judged = judge(table, wanted)
    assert [(one.criterion, one.bound, one.limit) for one in judged] == [
        ("|gap|", "at most", 0.1),
        ("worst cell (men with hat)", "at least", 0.6),
        ("RRF", "at most", 0.3),
    ]
    assert judged[0].interval == (0.2, 0.4)


def test_a_metric_that_is_not_installed_is_not_measured() -> None:
    (judged,) = judge(rows((0.0, -0.05, 0.05), [GOOD] * 4), Acceptance(limits={"gone": 3.0}))
    assert (judged.criterion, judged.bound, judged.n, judged.verdict) == ("gone", "", 0, "not measured")


def test_foreign_metrics_are_judged_by_their_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, METRICS, *FOREIGN)
    names = [metric.name for metric in offered_criteria()]
    assert names == ["gap", "worst_cell", "impact_ratio", "rrf", "peak_inside", "false_alarms"]
    assert Acceptance().limits == {"gap": 0.1, "worst_cell": 0.6, "false_alarms": 0.9}
    about = {"group": "women", "n": 50}
    table = pd.DataFrame([{"metric": "false_alarms", "value": 0.3, "low": 0.2, "high": 0.4, **about}])
    inside = pd.DataFrame([{"metric": "peak_inside", "group": "all", "value": 0.6, "low": 0.5, "high": 0.7, "n": 12}])
    for limit, verdict in ((0.5, "pass"), (0.1, "fail"), (0.3, "too few images to say")):
        wanted = Acceptance(limits={"false_alarms": limit, "peak_inside": limit + 0.3})
        judged = judge(table, wanted, inside)
        assert [(one.criterion, one.verdict) for one in judged] == [("peak inside", verdict), ("false alarms", verdict)]


def test_limits_of_before_come_to_the_same_verdicts(make_run: MakeRun) -> None:
    results = read_results(make_run().path)
    old = Acceptance.model_validate({"gap_at_most": 0.33, "worst_cell_at_least": 0.5, "rrf_at_most": None})
    new = Acceptance(limits={"gap": 0.33, "worst_cell": 0.5})
    assert judgements(results, old) == judgements(results, new)
    pooled = over_all_seeds(results)
    for item in judgements(results, old):
        part = pooled[
            pooled[["variant", "evaluation", "treated_by"]]
            .eq([item.variant, item.evaluation, item.treated_by])
            .all(axis=1)
        ]
        gap, worst = item.criteria
        row = part[part["metric"] == "gap"].iloc[0]
        assert gap.verdict == at_most(size_of(Interval(row["low"], row["high"])), 0.33)
        cells = part[part["metric"].eq("accuracy") & part["group"].str.contains(" with")]
        each = [at_least(Interval(low, high), 0.5) for low, high in zip(cells["low"], cells["high"], strict=True)]
        assert worst.verdict == ("fail" if "fail" in each else max(each, key=("pass", "too few images to say").index))
        assert worst.value == cells["value"].min()


def test_no_verdict_rests_on_a_few_faces_or_on_a_classifier_that_says_the_same_of_all() -> None:
    limits = Acceptance(limits={"gap": 1.0, "worst_cell": 0.0})
    for per_cell, score, verdicts in ((10, None, {"pass"}), (9, None, {TOO_FEW}), (10, 0.9, {TOO_FEW})):
        predictions = made_up_predictions((0,), per_cell).query("variant == 'original' and evaluation == 'clean'")
        if score:
            predictions = predictions.assign(score=score)
        pooled = over_all_seeds(results_table(predictions, "Male", "Blond_Hair"))
        assert {one.verdict for one in judge(pooled, limits)} == verdicts
    strict = Acceptance(limits={"worst_cell": 0.6})
    assert judge(pooled, strict)[0].verdict == "fail"  # that half of the faces are decided wrongly is certain


def test_a_number_that_came_to_nothing_is_of_too_few_images() -> None:
    predictions = made_up_predictions((0,), 10).query("variant == 'original' and evaluation == 'clean'")
    pooled = over_all_seeds(results_table(predictions, "Male", "Blond_Hair"))
    pooled.loc[pooled["metric"] == "gap", ["value", "low", "high"]] = math.nan
    assert judge(pooled, Acceptance(limits={"gap": 0.1}))[0].verdict == TOO_FEW
    assert judge(pooled, Acceptance(limits={"rrf": 0.1}))[0].verdict == "not measured"


def kept(cells: list[tuple[float, float, float, bool]], ratios: list[tuple[float, float, float, bool]]) -> KeptGroups:
    """Return three groups of race, with the accuracy of the women of each and its impact ratio, and whether each counts."""

    def table(values: list[tuple[float, float, float, bool]], **more: str) -> tuple[dict[str, object], ...]:
        return tuple(
            {"group": f"race={name}", "value": value, "low": low, "high": high, "n": 40, "counted": counted, **more}
            for name, (value, low, high, counted) in zip("ABC", values, strict=True)
        )

    return KeptGroups(
        subject="one",
        target="Male",
        protected=("race", "age"),
        view="natural",
        rows=table(ratios, metric="impact_ratio"),
        spreads={},
        sizes=dict.fromkeys("ABC", 40),
        left_out_note="",
        variant="original",
        cells=table(cells, of="race"),
    )


FINE = (0.95, 0.9, 1.0, True)


@pytest.mark.parametrize(
    ("third", "verdict", "named"),
    [
        (FINE, "pass", "race=A"),
        ((0.7, 0.5, 0.8, True), "too few images to say", "race=C"),
        ((0.3, 0.2, 0.4, True), "fail", "race=C"),
        ((0.3, 0.2, 0.4, False), "pass", "race=A"),  # too few faces to count
    ],
)
def test_every_chosen_group_has_to_keep_the_limits_that_speak_of_groups(third: tuple, verdict: str, named: str) -> None:
    wanted = Acceptance(limits={"gap": 0.1, "worst_cell": 0.6, "impact_ratio": 0.6})
    accuracy, ratio = judge_groups(kept([FINE, FINE, third], [FINE, FINE, third]), wanted)
    assert (accuracy.verdict, accuracy.criterion) == (verdict, f"worst cell by race and age ({named})")
    assert (ratio.verdict, ratio.bound, ratio.limit) == (verdict, "at least", 0.6)
    assert judge_groups(kept([FINE] * 3, [FINE] * 3), Acceptance(limits={"gap": 0.1})) == []
    (none,) = judge_groups(kept([(*FINE[:3], False)] * 3, [FINE] * 3), Acceptance(limits={"worst_cell": 0.6}))
    assert none.verdict == TOO_FEW


def test_a_variants_verdict_rests_on_its_chosen_groups_too() -> None:
    results = results_table(made_up_predictions(), "Male", "Blond_Hair")
    lenient = Acceptance(limits={"worst_cell": 0.0})
    groups = [kept([FINE, FINE, (0.3, -0.4, -0.2, True)], [FINE] * 3)]
    before, after = judgements(results, lenient), judgements(results, lenient, groups=groups)
    changed = [(one.variant, one.evaluation) for one, other in zip(after, before, strict=True) if one != other]
    assert changed == [("original", "clean")]
    assert next(one for one in after if (one.variant, one.evaluation) == changed[0]).verdict == "fail"
