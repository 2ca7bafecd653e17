"""Verdicts follow from intervals, and only from them."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsal_core.experiments import over_all_seeds, read_results
from fairsal_core.metrics import Interval
from fairsal_core.reports import Acceptance, at_least, at_most, judge, judge_rrf, judgements, overall
from fairsal_core.reports.acceptance import size_interval
from tests.reports.conftest import MakeRun

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
    size = size_interval(Interval(low, high))
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
    judged = judge(rows(gap, cells), Acceptance(gap_at_most=0.1, worst_cell_at_least=0.6))
    assert overall(judged) == verdict


def test_an_rrf_that_is_asked_for_and_not_measured_keeps_from_passing() -> None:
    table, wanted = rows((0.0, -0.05, 0.05), [GOOD] * 4), Acceptance(rrf_at_most=0.3)
    assert overall(judge(table, wanted)) == "not measured"
    assert overall(judge(table, wanted, judge_rrf(0.2, Interval(0.1, 0.25), 40, 0.3))) == "pass"


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
