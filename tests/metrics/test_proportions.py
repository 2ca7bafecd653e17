"""Many proportions at once, against one at a time and against what others compute."""

import numpy as np
import pytest
from scipy import stats

from fairsal_core.metrics import (
    difference_interval,
    difference_of,
    difference_p,
    faces_needed,
    mixture_of,
    rates_of,
    ratio_of,
    size_of_difference,
    wilson,
)

COUNTS = [(0, 1), (0, 12), (12, 12), (1, 40), (39, 40), (55, 182), (4000, 9000)]


def test_rates_are_wilsons() -> None:
    found = rates_of([k for k, _ in COUNTS], [n for _, n in COUNTS])
    for place, (k, n) in enumerate(COUNTS):
        assert (found.low[place], found.high[place]) == pytest.approx(wilson(k, n), abs=1e-12)


@pytest.mark.parametrize("second", COUNTS)
def test_differences_are_newcombes(second: tuple[int, int]) -> None:
    found = difference_of(rates_of(*np.transpose(COUNTS)), rates_of(*second))
    for place, first in enumerate(COUNTS):
        assert (found.low[place], found.high[place]) == pytest.approx(difference_interval(*first, *second), abs=1e-12)


def test_a_size_begins_at_0_where_the_sign_is_open() -> None:
    found = size_of_difference(difference_of(rates_of([10, 50], 100), rates_of([12, 10], 100)))
    assert found.low[0] == 0 and found.low[1] > 0
    assert found.value.tolist() == pytest.approx([0.02, 0.4])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixture_of_one_is_that_one(share: float) -> None:
    one, other = rates_of([30], [100]), rates_of([80], [90])
    found = mixture_of(one, other, share)
    assert found.value[0] == pytest.approx(share * 0.3 + (1 - share) * 80 / 90)
    if share in (0, 1):
        alone = one if share else other
        assert (found.low[0], found.high[0]) == pytest.approx((alone.low[0], alone.high[0]))


def test_a_share_that_is_not_known_gives_no_mixture() -> None:
    found = mixture_of(rates_of([30, 30], 100), rates_of([80, 80], 90), [np.nan, 0.5])
    assert np.isnan([found.value[0], found.low[0], found.high[0]]).all() and np.isfinite(found.value[1])


def test_where_nobody_is_selected_no_ratio_can_be_said() -> None:
    found = ratio_of(rates_of([5, 0], 20), rates_of([0, 5], 20))
    assert np.isnan(found.value[0]) and np.isnan(found.low[0]) and np.isnan(found.high[0])
    assert found.value[1] == found.low[1] == 0 and found.high[1] > 0


@pytest.mark.parametrize(("first", "second", "n"), [(0.1, 0.2, 50), (0.5, 0.9, 30), (0.03, 0.3, 200)])
def test_ratios_hold_the_truth_as_often_as_they_say(first: float, second: float, n: int) -> None:
    generator = np.random.default_rng(0)
    found = ratio_of(*(rates_of(generator.binomial(n, rate, 4000), n) for rate in (first, second)))
    known = np.isfinite(found.value)
    held = (found.low <= first / second) & (first / second <= found.high)
    assert known.mean() > 0.99
    assert 0.93 < held[known].mean() < 0.98


def test_p_values_are_the_tests() -> None:
    p = difference_p(([30, 1, 0], [60, 8, 0]), ([100, 12, 10], [120, 12, 12]))
    chi2 = stats.chi2_contingency([[30, 70], [60, 60]], correction=False).statistic
    assert p[0] == pytest.approx(stats.chi2.sf(chi2 * 219 / 220, 1))
    assert p[1] == pytest.approx(stats.fisher_exact([[1, 11], [8, 4]]).pvalue)
    assert p[2] == 1  # nothing happened to anybody
    assert np.isnan(difference_p((0, 1), (0, 2)))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.95])
def test_so_many_faces_see_the_difference_four_times_in_five(rate: float) -> None:
    n = int(faces_needed(rate, 2.0))
    other = rate + (0.05 if rate < 0.5 else -0.05)
    generator = np.random.default_rng(1)
    p = difference_p((generator.binomial(2 * n, rate, 3000), generator.binomial(n, other, 3000)), (2 * n, n))
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.03)
