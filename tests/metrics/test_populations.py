"""Accuracy in a population whose cells are as common as one says, against sums written out."""

import math

import numpy as np
import pytest

from fairsal_core.metrics import GAP, in_population, subgroup_estimates
from tests.metrics.test_groups import judged

FOUR = np.array([True, True, False, False])


@pytest.mark.parametrize("seeds", [1, 3])
def test_each_cell_weighs_as_it_is_common(seeds: int) -> None:
    correct, cells = judged(seeds, (0.3, 0.9, 0.95, 0.6))
    prevalence = np.array([20, 980, 300, 700])
    found = in_population(correct, cells, prevalence, FOUR)
    rates = np.array([correct[:, cells == cell].mean() for cell in range(4)])
    assert found.all.value == pytest.approx((rates * prevalence).sum() / 2000)
    assert found.target.value == pytest.approx(0.02 * rates[0] + 0.98 * rates[1])
    assert found.gap.value == pytest.approx(0.3 * rates[2] + 0.7 * rates[3] - 0.02 * rates[0] - 0.98 * rates[1])
    assert found.all.interval.low < found.all.value < found.all.interval.high
    assert (found.all.n, found.target.n, found.gap.n) == (160, 80, 160)


def test_prevalence_in_proportion_to_the_faces_is_the_plain_view() -> None:
    correct, cells = judged(2, (0.3, 0.9, 0.95, 0.6))
    plain = subgroup_estimates(correct, cells)
    weighed = in_population(correct, cells, np.full(4, 7), FOUR)
    expected = [*plain[:3], next(each for each in plain if each.metric == GAP)]
    for one, other in zip(weighed, expected, strict=True):
        assert (one.metric, one.n) == (other.metric, other.n)
        assert one.value == pytest.approx(other.value)
        assert one.interval == pytest.approx(other.interval)


def test_a_cell_that_nobody_judged_is_left_out() -> None:
    """Seven groups of two labels, of which one has no judged face."""
    generator = np.random.default_rng(3)
    cells = np.concatenate([np.arange(13), generator.integers(0, 13, 400)])  # of 14: the last is not judged
    correct = generator.random((2, len(cells))) < 0.8
    prevalence, of_target = np.arange(1, 15), np.arange(14) % 2 == 0
    found = in_population(correct, cells, prevalence, of_target)
    total = sum(prevalence[cell] * correct[:, cells == cell].mean() for cell in range(13))
    assert found.all.value == pytest.approx(total / prevalence[:13].sum())
    others = range(1, 13, 2)
    rates = [prevalence[cell] * correct[:, cells == cell].mean() for cell in others]
    assert found.other.value == pytest.approx(sum(rates) / sum(prevalence[cell] for cell in others))


def test_of_a_population_that_was_not_judged_nothing_is_said() -> None:
    correct, cells = judged(1, (0.5, 0.5, 0.5, 0.5))
    found = in_population(correct[:, cells > 1], cells[cells > 1], np.array([5, 5, 5, 5]), FOUR)
    assert math.isnan(found.target.value) and math.isnan(found.gap.interval.low) and found.target.n == 0
    assert found.all.value == pytest.approx(found.other.value)
