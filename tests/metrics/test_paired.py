"""The change from one classifier to another, against resampling face by face."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import ALL_CELLS, change_estimates, subgroup_estimates


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
