"""The change from one classifier to another, against resampling face by face, and of sizes against their signed parts."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import (
    ALL_CELLS,
    Decisions,
    Estimate,
    change_estimates,
    change_interval,
    contrast_interval,
    gap_change,
    odds_change,
    size_of,
    subgroup_estimates,
)
from fairsal_core.metrics.groups import difference_intervals
from fairsal_core.metrics.mover import change_of_sizes


def judged(seed: int, seeds: int = 2, per_cell: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    cells = np.repeat(np.arange(4), per_cell)
    skill = generator.uniform(0.2, 0.9, (2, 4))
    before, after = (generator.random((seeds, len(cells))) < skill[index][cells] for index in (0, 1))
    return before, after, cells


def slow_change(before: np.ndarray, after: np.ndarray, cells: np.ndarray, group: tuple[int, ...]) -> float:
    total = 0.0
    for face in np.flatnonzero(np.isin(cells, group)):
        total += after[:, face].mean() - before[:, face].mean()
    return total / np.isin(cells, group).sum()


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_values_are_means_over_faces(seed: int) -> None:
    before, after, cells = judged(seed)
    for estimate in change_estimates(before, after, cells)[:-1]:
        assert estimate.value == pytest.approx(slow_change(before, after, cells, estimate.cells))
        assert estimate.interval.low <= estimate.interval.high


def test_the_interval_is_that_of_resampling_pairs_of_faces() -> None:
    before, after, cells = judged(1, seeds=1, per_cell=60)
    generator = np.random.default_rng(0)
    replicates = []
    for _ in range(4000):
        drawn = np.concatenate([generator.choice(np.flatnonzero(cells == cell), 60) for cell in range(4)])
        replicates.append(after[0, drawn].mean() - before[0, drawn].mean())
    low, high = np.quantile(replicates, [0.025, 0.975])
    estimate = change_estimates(before, after, cells)[0]
    assert estimate.cells == ALL_CELLS
    assert estimate.interval.low == pytest.approx(low, abs=0.02)
    assert estimate.interval.high == pytest.approx(high, abs=0.02)


def test_pairing_narrows_the_interval() -> None:
    before, _, cells = judged(2, seeds=1, per_cell=100)
    after = before.copy()
    after[0, 0] = ~after[0, 0]
    estimate = change_estimates(before, after, cells)[0]
    alone = subgroup_estimates(before, cells)[0].interval
    assert estimate.interval.high - estimate.interval.low < 0.6 * (alone.high - alone.low)
    assert estimate.interval.low < 0 < estimate.interval.high


def test_the_gap_changes_by_its_size() -> None:
    cells = np.repeat(np.arange(4), 10)
    before = np.isin(cells, (0, 1))[None]  # only the target group is right: gap -1
    after = np.isin(cells, (2, 3))[None]  # only the other: gap +1, of the same size
    assert change_estimates(before, after, cells)[-1].value == 0
    assert change_estimates(before, np.ones_like(before), cells)[-1].value == -1


def test_shapes_that_do_not_pair_are_refused() -> None:
    before, after, cells = judged(3)
    with pytest.raises(FairsalError, match="same seeds and faces"):
        change_estimates(before[:1], after, cells)


ROWS = (np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, -1.0]))


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=12)
def test_sizes_change_by_what_they_are_said_to_and_backwards_by_the_reverse(seed: int, seeds: int) -> None:
    before, after, cells = judged(seed, seeds)
    for change in (gap_change, odds_change):
        there, back = change(before, after, cells), change(after, before, cells)
        assert there.interval.low <= there.value <= there.interval.high
        assert there.value == pytest.approx(-back.value)
        assert there.interval == pytest.approx((-back.interval.high, -back.interval.low))


def test_where_the_largest_and_its_sign_are_certain_the_faces_pair_the_change() -> None:
    generator, cells = np.random.default_rng(4), np.repeat(np.arange(4), 200)
    hard = generator.random(len(cells))  # the same faces are hard for both
    before, after = ((hard < np.array(rates)[cells])[None] for rates in ((0.9, 0.3, 0.8, 0.7), (0.8, 0.3, 0.8, 0.7)))
    found = odds_change(before, after, cells).interval
    assert found == change_interval(before, after, cells, ROWS[0])
    each = [difference_intervals(Decisions(hits, cells))[2] for hits in (before, after)]
    assert found.high - found.low < 0.7 * math.hypot(*(interval.high - interval.low for interval in each))


def wald(before: np.ndarray, after: np.ndarray, cells: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Ends of a sum after less a sum before, of one network and many faces, by the spread of what each face adds."""
    sizes = np.bincount(cells)
    added = second[cells] * after[0] - first[cells] * before[0]
    parts = [added[cells == cell] for cell in range(4)]
    error = math.sqrt(sum(part.var() / size for part, size in zip(parts, sizes, strict=True)))
    return np.array([-1, 1]) * stats.norm.ppf((1 + 0.95**0.5) / 2) * error + sum(part.mean() for part in parts)


def test_where_all_is_open_it_is_the_largest_of_the_least() -> None:
    """With 2000 faces a cell, against every signed difference before and after, one by one."""
    generator, cells = np.random.default_rng(5), np.repeat(np.arange(4), 2000)
    hard = generator.random(len(cells))
    before, after = ((hard + 0.3 * generator.random(len(cells)) < 0.7)[None] for _ in range(2))
    signed = [sign * row for row in ROWS for sign in (1, -1)]
    low, high = -math.inf, math.inf
    for one in signed:
        low = max(low, min(wald(before, after, cells, other, one)[0] for other in signed))
        high = min(high, max(wald(before, after, cells, one, other)[1] for other in signed))
    found = change_of_sizes(before, after, cells, list(ROWS), list(ROWS), 0.95**0.5)
    was, became = (max(size_of(contrast_interval(hits, cells, row)).high for row in ROWS) for hits in (before, after))
    assert found == pytest.approx((max(low, -was), min(high, became)), abs=1e-3)
    assert found.low > -was or found.high < became  # the bounds do not hide the rest


@pytest.mark.parametrize(
    ("change", "rates", "truth"),
    [
        (odds_change, ((0.35, 0.9, 0.95, 0.8), (0.9,) * 4), -0.55),
        (gap_change, ((0.05, 0.05, 0.95, 0.95), (0.5,) * 4), -0.9),
    ],
)
def test_a_difference_that_goes_is_held_as_often_as_it_says(
    change: Callable[..., Estimate], rates: tuple[tuple[float, ...], ...], truth: float
) -> None:
    """In 300 experiments; of each size by itself, put together in squares, it was held in 86% and 73%."""
    generator, cells = np.random.default_rng(6), np.repeat(np.arange(4), 60)
    held = 0
    for _ in range(300):
        before, after = (generator.random((1, len(cells))) < np.array(each)[cells] for each in rates)
        low, high = change(before, after, cells).interval
        held += low <= truth <= high
    assert 0.92 <= held / 300 <= 0.99


@pytest.mark.parametrize("after", [(0.9, 0.6, 0.75, 0.9, 0.8, 0.5), (0.75,) * 6], ids=["stays", "goes"])
def test_the_change_of_odds_of_three_groups_holds(after: tuple[float, ...]) -> None:
    generator = np.random.default_rng(5)
    cells = np.repeat(np.arange(6), 40)
    rates = [np.array(each) for each in ((0.9, 0.6, 0.75, 0.9, 0.8, 0.5), after)]
    odds = [max(np.ptp(each[:3]), np.ptp(each[3:])) for each in rates]
    held = 0
    for _ in range(200):
        first, second = (generator.random((1, len(cells))) < each[cells] for each in rates)
        change = odds_change(first, second, cells, 3)
        assert change.interval.low <= change.value <= change.interval.high
        held += change.interval.low <= odds[1] - odds[0] <= change.interval.high
    assert held >= 188
