"""Many proportions at once: their intervals, and those of their differences, ratios and mixtures. Arrays of any shape.

For one or two numbers there are `wilson` and `difference_interval`, of which these are the same for arrays.

References
----------
Wilson (1927). Newcombe (1998), method 10. Donner and Zou (2012), *Closed-form confidence intervals for functions of the normal mean
and standard deviation* (MOVER-R). Campbell (2007), *Chi-squared and Fisher-Irwin tests of two-by-two tables with small sample
recommendations*. Fleiss, Levin and Paik (2003), *Statistical Methods for Rates and Proportions*, for the number of faces needed.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairsal_core.metrics.intervals import LEVEL

Numbers = NDArray[np.float64]
_FEWEST_EXPECTED = 5.0  # in each of four counts: with fewer the chi-squared test is not to be had


class Rates(NamedTuple):
    """Rates, or what is made of them, with the ends of their intervals; NaN where nothing can be said. Four arrays of one shape.

    `n` counts the faces, of a comparison those of the smaller side.
    """

    value: Numbers
    low: Numbers
    high: Numbers
    n: Numbers

    def at(self, index: Any) -> "Rates":
        """Return some of them."""
        return Rates(*(each[index] for each in self))


def rates_of(hits: ArrayLike, n: ArrayLike, level: float = LEVEL) -> Rates:
    """Return hits / n with Wilson's intervals; hits may be expected ones, and so no whole numbers.

    Examples
    --------
    >>> found = rates_of([45, 0], [50, 0])
    >>> found.low.round(3).tolist(), found.high.round(3).tolist()
    ([0.786, nan], [0.957, nan])
    """
    from scipy.special import ndtri  # takes a while to import

    counted, sizes = np.broadcast_arrays(np.asarray(hits, np.float64), np.asarray(n, np.float64))
    square = float(ndtri((1 + level) / 2)) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = counted / sizes
        centre = (mean + square / (2 * sizes)) / (1 + square / sizes)
        half = np.sqrt(square * (mean * (1 - mean) / sizes + square / (4 * sizes**2))) / (1 + square / sizes)
    # The ends meet the value where that is 0 or 1, but for what rounding does.
    return Rates(mean, np.clip(centre - half, 0, mean), np.clip(centre + half, mean, 1), sizes.copy())


def difference_of(first: Rates, second: Rates) -> Rates:
    """Return first minus second of independent faces, with Newcombe's intervals."""
    value = first.value - second.value
    below = np.hypot(first.value - first.low, second.high - second.value)
    above = np.hypot(first.high - first.value, second.value - second.low)
    return Rates(value, np.maximum(value - below, -1), np.minimum(value + above, 1), np.minimum(first.n, second.n))


def size_of_difference(signed: Rates) -> Rates:
    """Return the sizes of differences: from 0 where the sign is open."""
    low, high = np.minimum(abs(signed.low), abs(signed.high)), np.maximum(abs(signed.low), abs(signed.high))
    return Rates(abs(signed.value), np.where((signed.low <= 0) & (signed.high >= 0), 0.0, low), high, signed.n)


def ratio_of(first: Rates, second: Rates) -> Rates:
    """Return first / second of independent faces, with MOVER-R's intervals; NaN where the second is 0: cannot say.

    Examples
    --------
    >>> found = ratio_of(rates_of(30, 100), rates_of(60, 100))
    >>> found.value.round(2).item(), found.low.round(2).item(), found.high.round(2).item()
    (0.5, 0.35, 0.7)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(second.value > 0, first.value / second.value, np.nan)
        product = first.value * second.value
        nearer = first.low * (2 * first.value - first.low)
        further = first.high * (2 * first.value - first.high)
        # The lower end in the form that has no difference in its denominator; the higher one is the plain root.
        root = np.sqrt(np.maximum(product**2 - nearer * second.high * (2 * second.value - second.high), 0))
        low = np.where(product > 0, nearer / (product + root), 0.0)
        base = second.low * (2 * second.value - second.low)
        high = (product + np.sqrt(np.maximum(product**2 - further * base, 0))) / base
    unknown = np.isnan(value)
    return Rates(value, np.where(unknown, np.nan, low), np.where(unknown, np.nan, high), np.minimum(first.n, second.n))


def mixture_of(first: Rates, second: Rates, share: ArrayLike) -> Rates:
    """Return share * first + (1 - share) * second of independent faces, by MOVER; one that weighs 0 is not asked.

    A share that is NaN, which is not known, gives NaN.
    """
    one = np.asarray(share, np.float64) * np.ones_like(first.value)
    weights = (one, 1 - one)
    parts = [
        [
            np.where(weight == 0, 0.0, weight * column)
            for column in (rate.value, rate.value - rate.low, rate.high - rate.value)
        ]
        for weight, rate in zip(weights, (first, second), strict=True)
    ]
    value = parts[0][0] + parts[1][0]
    below, above = (np.hypot(parts[0][place], parts[1][place]) for place in (1, 2))
    return Rates(value, np.maximum(value - below, 0), np.minimum(value + above, 1), first.n + second.n)


def difference_p(hits: tuple[ArrayLike, ArrayLike], n: tuple[ArrayLike, ArrayLike]) -> Numbers:
    """Return the two-sided p-value of two rates being the same, for each pair of counts; NaN where one has no faces.

    Campbell's N - 1 chi-squared test, and Fisher's exact one where one of the four counts is expected to be below 5 (hits are
    rounded for it).
    """
    from scipy.stats import chi2, fisher_exact

    k1, k2, n1, n2 = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (*hits, *n)))
    total, yes = n1 + n2, k1 + k2
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = yes * (total - yes) * n1 * n2
        statistic = np.where(spread > 0, (total - 1) * (k1 * n2 - k2 * n1) ** 2 / spread, 0.0)
        expected = np.minimum(n1, n2) * np.minimum(yes, total - yes) / total
    p: Numbers = np.asarray(chi2.sf(statistic, 1), dtype=np.float64).reshape(k1.shape).copy()
    p[(n1 == 0) | (n2 == 0)] = np.nan
    for place in map(tuple, np.argwhere(np.isfinite(p) & (expected < _FEWEST_EXPECTED) & (spread > 0))):
        one, other = round(k1[place]), round(k2[place])
        p[place] = fisher_exact([[one, n1[place] - one], [other, n2[place] - other]]).pvalue
    return p


def faces_needed(
    rate: ArrayLike, times: ArrayLike, difference: float = 0.05, level: float = LEVEL, power: float = 0.8
) -> Numbers:
    """Return how many faces the smaller of two cells needs for a difference to be seen, by a two-sided test, with that power.

    Parameters
    ----------
    rate : array
        Of the larger cell. The smaller one's is taken to lie `difference` nearer to 1/2, where it varies more.
    times : array
        How many times as many faces the larger cell has.

    Examples
    --------
    >>> faces_needed(0.5, 1.0).item(), faces_needed(0.9, 1.0).item()
    (1565.0, 686.0)
    """
    from scipy.special import ndtri

    first, ratio = np.asarray(rate, np.float64), np.asarray(times, np.float64)
    second = first + np.where(first < 0.5, difference, -difference)
    with np.errstate(invalid="ignore", divide="ignore"):
        together = (second + ratio * first) / (1 + ratio)
        alike = np.sqrt((1 + 1 / ratio) * together * (1 - together))
        apart = np.sqrt(second * (1 - second) + first * (1 - first) / ratio)
    reach = float(ndtri((1 + level) / 2)) * alike + float(ndtri(power)) * apart
    needed: Numbers = np.ceil(reach**2 / difference**2)
    return needed
