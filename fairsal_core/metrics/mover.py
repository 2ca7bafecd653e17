"""Intervals of weighted sums of accuracies over cells: a gap, a difference between groups, and what became of either.

An interval has two sources of error, and takes each for what it is. *Faces*: every cell's accuracy has Wilson's interval, and those
of the cells are put together by MOVER, the square-and-add of Newcombe (1998) and of Zou and Donner (2008). That holds for few faces
and for accuracies near 1, and is never of zero width. Where several seeds judged the same faces, a cell is worth as many faces
as its spread says, at least those that it has. *Seeds*: the sum differs from training to training; its mean over S of them has
Student's interval with S - 1 degrees of freedom, that of a rate with Willink's correction for their skewness: near the ceiling most
are alike and a few far below. What both count, the chance in a single answer, is taken out of the first.

With one seed the interval is about these networks alone: nothing is known of others that the same recipe would give.
`python -m benchmarks.coverage` tells how often they hold.

References
----------
Newcombe (1998), *Interval estimation for the difference between independent proportions* (method 10), and *Improved confidence
intervals for the difference between binomial proportions based on paired data* (method 10). Zou and Donner (2008), *Construction of
confidence limits about effect measures*. Berger (1982), *Multiparameter hypothesis testing and acceptance sampling*. Willink
(2005), *A confidence interval and test for the mean of an asymmetric distribution*. Joanes and Gill (1998), *Comparing measures of
sample skewness and kurtosis*.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.intervals import LEVEL, Hits, Interval, wilson

Weights = NDArray[np.floating]
_FARTHEST = 2.0  # times Student's quantile: where Hall's cubic is flat its solution leaps to four times that
_STRAIGHT = 1e-6  # below this Willink's formula divides what rounding has left by next to nothing
_FEWEST_TO_SHARE = 5  # faces of a cell: of fewer, the chance in a single answer cannot be told from the rest


class _Cell(NamedTuple):
    """What the faces of one cell say of it: the mean, its ends, the variance of the mean, and how much of that is chance."""

    mean: float
    below: float
    above: float
    variance: float
    chance: float


def difference_interval(k1: int, n1: int, k2: int, n2: int, level: float = LEVEL) -> Interval:
    """Return Newcombe's interval of k1/n1 - k2/n2, two independent proportions; (nan, nan) where one has no trial.

    Examples
    --------
    >>> low, high = difference_interval(56, 70, 48, 80)
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    if not n1 or not n2:
        return Interval(math.nan, math.nan)
    first, second = (wilson(k, n, level) for k, n in ((k1, n1), (k2, n2)))
    p1, p2 = k1 / n1, k2 / n2
    below = math.hypot(p1 - first.low, second.high - p2)
    above = math.hypot(first.high - p1, p2 - second.low)
    return Interval(max(p1 - p2 - below, -1.0), min(p1 - p2 + above, 1.0))


def contrast_interval(hits: Hits, cells: NDArray[np.int64], weights: Weights, level: float = LEVEL) -> Interval:
    """Return the interval of a weighted sum of the cells' rates.

    Parameters
    ----------
    hits : array, (S, N) bool, or float in [0, 1]
        Whatever is counted, for seed s and face n.
    cells : array, (N,) int
        Cell of each face.
    weights : array, (C,)
        Of each cell; 1 and 0 for one cell's rate, halves with both signs for a gap. A cell without faces has none.

    Returns
    -------
    Interval
        Within what the sum can be; (nan, nan) where a cell that counts has no faces.
    """
    counted = np.flatnonzero(weights)
    parts = [np.asarray(hits[:, cells == cell], dtype=np.float64) for cell in counted]
    if not all(part.size for part in parts):
        return Interval(math.nan, math.nan)
    quantile = _quantile(parts, level)
    found = [_of_cell(part, quantile) for part in parts]
    by_seed = _by_seed(parts, weights[counted])
    # What is skewed alike in all cells cancels in their differences: to correct those widens them and holds no more often.
    is_rate = (weights[counted] > 0).all()
    of_seeds = _skewed_half_widths(by_seed, level) if is_rate else (_half_width(by_seed, level),) * 2
    return _together(found, of_seeds, weights[counted], span=(0.0, 1.0))


def change_interval(
    before: Hits, after: Hits, cells: NDArray[np.int64], weights: Weights, level: float = LEVEL
) -> Interval:
    """Return the interval of the change of a weighted sum, after minus before, by the same seeds on the same faces.

    Parameters as for `contrast_interval`. What the two have in common on each face is taken into account.
    """
    counted = np.flatnonzero(weights)
    firsts, seconds = (
        [np.asarray(hits[:, cells == cell], dtype=np.float64) for cell in counted] for hits in (before, after)
    )
    if not all(part.size for part in firsts):
        return Interval(math.nan, math.nan)
    quantile = _quantile(firsts, level)
    found = [_of_change(first, second, quantile) for first, second in zip(firsts, seconds, strict=True)]
    changes = [second - first for first, second in zip(firsts, seconds, strict=True)]
    of_seeds = _half_width(_by_seed(changes, weights[counted]), level)
    return _together(found, (of_seeds, of_seeds), weights[counted], span=(-1.0, 1.0))


def mean_interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the interval of a mean over faces, and over seeds where there are several.

    Parameters
    ----------
    values : array, (S, N)
        Of any size, for seed s and face n; NaN where there is none, but each face has one for some seed.

    Returns
    -------
    Interval
        Student's over faces and Student's over seeds, added in squares; (nan, nan) for fewer than two faces.
    """
    faces = values.shape[1]
    if faces < 2:
        return Interval(math.nan, math.nan)
    variance, chance = _variance(np.nanmean(values, axis=0)), _chance(values) if np.isfinite(values).all() else 0.0
    of_faces = _students(faces - 1, level) ** 2 * max(variance - chance, 0.1 * variance)
    told = np.isfinite(values).any(axis=1)  # a seed may have no value at all
    half = math.hypot(math.sqrt(of_faces), _half_width(np.nanmean(values[told], axis=1), level))
    mean = float(np.nanmean(values))
    return Interval(mean - half, mean + half)


def size_of(interval: Interval) -> Interval:
    """Return the interval of |x| for an interval of x: from 0 where that may have either sign.

    Examples
    --------
    >>> size_of(Interval(-0.3, -0.1)), size_of(Interval(-0.05, 0.2))
    (Interval(low=0.1, high=0.3), Interval(low=0.0, high=0.2))
    """
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return Interval(0.0 if interval.low <= 0 <= interval.high else low, high)


def change_of_sizes(
    before: Hits,
    after: Hits,
    cells: NDArray[np.int64],
    firsts: list[Weights],
    seconds: list[Weights],
    level: float = LEVEL,
) -> Interval:
    """Return the interval of the largest size of some sums after, less the largest of some before, by the same seeds and faces.

    Parameters
    ----------
    before, after, cells
        As for `change_interval`.
    firsts, seconds : list of array, (C,)
        Weights of the sums before and of those after. Those of a sum add up to 0; two sums are the same or of other cells.

    Notes
    -----
    The largest size of sums a is the largest of a and -a, so the change is the largest, over b and -b after, of the least, over a
    and -a before, of b - a. Its ends are those of the intervals of b - a, put together in the same way: where signs are certain one
    of them decides, where they are open all have to agree (intersection-union, Berger 1982). Sizes' own intervals, added in squares
    as `difference_of_sizes` does, hold too seldom where a size goes to 0: there its value is nearly always above the truth.
    """
    less, more = (
        np.array([[_apart(each, after, cells, first, second, level) for first in firsts] for second in seconds])
        for each in (before, 1.0 - np.asarray(before, dtype=np.float64))
    )
    # Rows: b, -b. Columns: a, -a. What is b + a for a is b - a for the answers turned round.
    lows = np.block([[less[..., 0], more[..., 0]], [-more[..., 1], -less[..., 1]]])
    highs = np.block([[less[..., 1], more[..., 1]], [-more[..., 0], -less[..., 0]]])
    was, became = _most(before, cells, firsts), _most(after, cells, seconds)
    return Interval(max(float(lows.min(axis=1).max()), -was), min(float(highs.max(axis=0).min()), became))


def _most(hits: Hits, cells: NDArray[np.int64], sums: list[Weights]) -> float:
    """Return by how much sizes may fall to 0 or have risen from it: the upper end of such as may be 0; else the most there is."""
    sizes = [size_of(contrast_interval(hits, cells, each)) for each in sums]
    return 1.0 if any(size.low for size in sizes) else max(size.high for size in sizes)


def _apart(
    before: Hits, after: Hits, cells: NDArray[np.int64], first: Weights, second: Weights, level: float
) -> Interval:
    """Return the interval of one sum after less one sum before."""
    if np.array_equal(first, second):
        return change_interval(before, after, cells, second, level)
    hits = np.where(second[cells] != 0, after, before)
    return contrast_interval(hits, cells, second - first, level)


def difference_of_sizes(before: float, first: Interval, after: float, second: Interval) -> Interval:
    """Return the interval of the change from one size to another, from their own: as if nothing paired them."""
    low = after - before - math.hypot(after - second.low, first.high - before)
    high = after - before + math.hypot(second.high - after, before - first.low)
    return Interval(max(low, -1.0), min(high, 1.0))


def _quantile(parts: list[NDArray[np.float64]], level: float) -> float:
    """Return the quantile of the cells' intervals: Student's, but for one cell that one network judged the normal's."""
    if len(parts) == len(parts[0]) == 1:
        return _students(math.inf, level)
    return _students(max(sum(part.shape[1] - 1 for part in parts), 1), level)


def _students(freedom: float, level: float) -> float:
    """Return Student's two-sided quantile, by what `scipy.stats.t` computes it with, which takes most of an interval's time."""
    from scipy import special

    return float(special.stdtrit(freedom, (1 + level) / 2))


def _of_cell(part: NDArray[np.float64], quantile: float) -> _Cell:
    by_face = part.mean(axis=0)
    mean, variance = float(by_face.mean()), _variance(by_face)
    low, high = _score(mean, _worth(mean, variance, part), quantile)
    return _Cell(mean, mean - low, high - mean, variance, _chance(part))


def _of_change(first: NDArray[np.float64], second: NDArray[np.float64], quantile: float) -> _Cell:
    one, other = _of_cell(first, quantile), _of_cell(second, quantile)
    alike = _alike(first.mean(axis=0), second.mean(axis=0))
    below = one.above**2 + other.below**2 - 2 * alike * one.above * other.below
    above = one.below**2 + other.above**2 - 2 * alike * one.below * other.above
    change = second - first
    variance = _variance(change.mean(axis=0))
    return _Cell(other.mean - one.mean, math.sqrt(max(below, 0)), math.sqrt(max(above, 0)), variance, _chance(change))


def _together(
    found: list[_Cell], of_seeds: tuple[float, float], weights: Weights, span: tuple[float, float]
) -> Interval:
    """Put cells together, add what seeds differ by, and keep to what the sum can be for rates within `span`."""
    total = float(sum(weight * cell.mean for weight, cell in zip(weights, found, strict=True)))
    below, above, variance, chance = (
        float(sum(weight**2 * each for weight, each in zip(weights, column, strict=True)))
        for column in (
            [(cell.below if weight > 0 else cell.above) ** 2 for weight, cell in zip(weights, found, strict=True)],
            [(cell.above if weight > 0 else cell.below) ** 2 for weight, cell in zip(weights, found, strict=True)],
            [cell.variance for cell in found],
            [cell.chance for cell in found],
        )
    )
    of_faces = max(1 - chance / variance, 0.1) if variance > 0 else 1.0
    down, up = of_seeds
    ends = [(weight * span[0], weight * span[1]) for weight in weights]
    least, most = sum(map(min, ends)), sum(map(max, ends))
    low, high = total - math.sqrt(of_faces * below + down**2), total + math.sqrt(of_faces * above + up**2)
    return Interval(float(max(low, least)), float(min(high, most)))


def _by_seed(parts: list[NDArray[np.float64]], weights: Weights) -> NDArray[np.float64]:
    return np.asarray(weights @ np.array([part.mean(axis=1) for part in parts]))


def _half_width(by_seed: NDArray[np.float64], level: float) -> float:
    """Return how far from a mean over seeds that of all others may lie (Student); 0 for a single seed."""
    seeds = len(by_seed)
    if seeds < 2:
        return 0.0
    return _students(seeds - 1, level) * float(by_seed.std(ddof=1)) / math.sqrt(seeds)


def _skewed_half_widths(by_seed: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return how far below and above for a rate, whose seeds are skewed where it cannot go higher.

    Of the measures of skewness it is Joanes and Gill's b1: few seeds say little of it, and the unbiased one takes that for much.
    """
    seeds, half = len(by_seed), _half_width(by_seed, level)
    if not half:
        return half, half
    skewness = float((((by_seed - by_seed.mean()) / by_seed.std(ddof=1)) ** 3).mean())
    quantile, bend = _students(seeds - 1, level), skewness / (6 * math.sqrt(seeds))
    return half * _willink(quantile, bend) / quantile, -half * _willink(-quantile, bend) / quantile


def _willink(quantile: float, bend: float) -> float:
    """Return Student's quantile as it is for values as skewed as `bend` says (Willink 2005: Hall's cubic, solved)."""
    if abs(bend) < _STRAIGHT:
        return quantile
    bent = (math.cbrt(1 + 6 * bend * (quantile - bend)) - 1) / (2 * bend)
    return math.copysign(min(abs(bent), _FARTHEST * abs(quantile)), bent)


def _variance(by_face: NDArray[np.float64]) -> float:
    return float(by_face.var(ddof=1)) / len(by_face) if len(by_face) > 1 else 0.0


def _worth(mean: float, variance: float, part: NDArray[np.float64]) -> float:
    """Return how many independent faces a cell is worth: at least those it has, at most as many as answers were given."""
    seeds, faces = part.shape
    if variance <= 0 or not 0 < mean < 1:
        return float(faces)
    return float(np.clip(mean * (1 - mean) / variance, faces, seeds * faces))


def _chance(part: NDArray[np.float64]) -> float:
    """Return the part of a mean's variance that is neither the faces' nor the seeds': the interaction mean square over S N."""
    seeds, faces = len(part), len(part[0])
    if seeds < 2 or faces < _FEWEST_TO_SHARE:
        return 0.0
    rest = part - part.mean(axis=0) - part.mean(axis=1, keepdims=True) + part.mean()
    return float((rest**2).sum()) / ((seeds - 1) * (faces - 1)) / (seeds * faces)


def _alike(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Newcombe's correlation of two answers to the same faces, held back a little for being estimated."""
    faces = len(first)
    spread = float(first.std() * second.std()) * faces**2
    if not spread:
        return 0.0
    together = float(((first - first.mean()) * (second - second.mean())).mean()) * faces**2
    return (max(together - faces / 2, 0.0) if together > 0 else together) / spread


def _score(mean: float, n: float, quantile: float) -> tuple[float, float]:
    """Return the ends of Wilson's score interval, for any n above 0."""
    square = quantile**2
    centre = (mean + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * math.sqrt(mean * (1 - mean) / n + square / (4 * n**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)
