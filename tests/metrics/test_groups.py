"""Accuracy per subgroup and the gap, against counting."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fairsal_core.faces import CELLS
from fairsal_core.metrics import Estimate, cell_numbers, gap, subgroup_estimates, wilson
from fairsal_core.metrics.groups import ALL_CELLS, OTHER_CELLS, TARGET_CELLS


def judged(
    seeds: int, rates: tuple[float, ...], per_cell: int = 40, seed: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return correctness (S, N) at a rate per cell, and the cells, shuffled."""
    generator = np.random.default_rng(seed)
    cells = generator.permutation(np.repeat(np.arange(4), per_cell))
    return generator.random((seeds, len(cells))) < np.array(rates)[cells], cells


def by_cells(estimates: list[Estimate]) -> dict[tuple[int, ...], Estimate]:
    return {estimate.cells: estimate for estimate in estimates}


def test_cells_are_numbered_as_faces_lists_them() -> None:
    target, confounder = (np.array([getattr(cell, name) for cell in CELLS]) for name in ("target", "confounder"))
    assert cell_numbers(target, confounder).tolist() == [0, 1, 2, 3]
    assert [CELLS[cell].target for cell in TARGET_CELLS] == [True, True]
    assert [CELLS[cell].target for cell in OTHER_CELLS] == [False, False]


def test_the_gap_is_women_minus_men() -> None:
    assert gap(accuracy_target=0.60, accuracy_other=0.88) == pytest.approx(0.28)  # Table 1, Blond_Hair, original


@pytest.mark.parametrize("seeds", [1, 3])
def test_values_by_counting(seeds: int) -> None:
    correct, cells = judged(seeds, (0.3, 0.9, 0.95, 0.6))
    estimates = subgroup_estimates(correct, cells)
    expected_order = [(0, 1, 2, 3), (0, 1), (2, 3), (0,), (1,), (2,), (3,), ()]
    assert [estimate.cells for estimate in estimates] == expected_order
    for estimate in estimates[:-1]:
        hits = [correct[s, i] for s in range(seeds) for i in range(len(cells)) if cells[i] in estimate.cells]
        assert estimate.value == pytest.approx(sum(hits) / len(hits))
        assert estimate.n == len(hits) / seeds
    found = by_cells(estimates)
    assert found[()].value == pytest.approx(found[OTHER_CELLS].value - found[TARGET_CELLS].value)
    assert found[()].value > 0  # women are right more often here
    assert found[()].n == 160


@pytest.mark.parametrize("seeds", [1, 2, 8])
def test_intervals_contain_their_value(seeds: int) -> None:
    for trial in range(3):
        for estimate in subgroup_estimates(*judged(seeds, (0.2, 0.9, 0.99, 0.5), seed=trial)):
            assert estimate.interval.low <= estimate.value <= estimate.interval.high
            assert estimate.interval.low < estimate.interval.high


def test_one_classifier_gets_wilsons_interval() -> None:
    correct, cells = judged(1, (0.4, 0.9, 1.0, 0.6))
    found = by_cells(subgroup_estimates(correct, cells))
    for members in ((0,), (2,), TARGET_CELLS, ALL_CELLS):
        chosen = correct[0, np.isin(cells, members)]
        assert found[members].interval == wilson(int(chosen.sum()), len(chosen))
    assert found[(2,)].value == 1.0
    assert found[(2,)].interval.low < 0.95


def test_the_gaps_interval_has_the_analytic_width() -> None:
    correct, cells = judged(1, (0.7, 0.7, 0.8, 0.8), per_cell=250)
    found = by_cells(subgroup_estimates(correct, cells))[()]
    variance = sum(rate * (1 - rate) / 250 / 4 for rate in (correct[0, cells == cell].mean() for cell in range(4)))
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.08)


def test_seeds_that_disagree_widen_the_interval() -> None:
    cells = np.repeat(np.arange(4), 100)
    generator = np.random.default_rng(0)
    alike = generator.random((6, 400)) < 0.7
    apart = generator.random((6, 400)) < np.linspace(0.4, 1.0, 6)[:, None]
    widths = []
    for correct in (alike, apart):
        interval = by_cells(subgroup_estimates(correct, cells))[ALL_CELLS].interval
        widths.append(interval.high - interval.low)
    assert widths[1] > 2 * widths[0]


def test_cells_of_different_size_are_weighed_by_their_faces() -> None:
    cells = np.repeat(np.arange(4), [10, 90, 50, 50])
    correct = np.stack([cells != 0] * 2)
    found = by_cells(subgroup_estimates(correct, cells))
    assert found[TARGET_CELLS].value == pytest.approx(0.9)
    assert found[TARGET_CELLS].interval == pytest.approx((0.9, 0.9))
    assert found[()].interval == pytest.approx((0.1, 0.1))


def test_an_empty_cell_and_an_empty_group() -> None:
    correct, cells = judged(2, (0.5, 0.5, 0.5, 0.5))
    without_one = by_cells(subgroup_estimates(correct[:, cells != 1], cells[cells != 1]))
    assert (1,) not in without_one
    assert not math.isnan(without_one[()].value)
    only_target = by_cells(subgroup_estimates(correct[:, cells < 2], cells[cells < 2]))
    assert OTHER_CELLS not in only_target
    assert math.isnan(only_target[()].value)
    assert math.isnan(only_target[()].interval.low)


def test_the_seed_of_the_bootstrap() -> None:
    correct, cells = judged(3, (0.5, 0.6, 0.7, 0.8))
    assert subgroup_estimates(correct, cells, seed=4) == subgroup_estimates(correct, cells, seed=4)
