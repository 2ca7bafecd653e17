"""How sure a number is: intervals for proportions, and a bootstrap over faces and seeds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
_CHUNK = 250  # replicates at a time: keeps 10,000 faces a cell within tens of megabytes


Hits = NDArray[np.bool_] | NDArray[np.float64]
"""Whether something is so, for seed s and face n (S, N); or how probable, where decisions are drawn."""


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


def level_of_pairs(groups: int) -> float:
    """Return the level at which as many intervals as so many groups have pairs hold together as one of LEVEL does (Sidak 1967)."""
    return float(LEVEL ** (2 / (groups * (groups - 1)))) if groups > 1 else LEVEL


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval of a proportion; (nan, nan) for n = 0.

    Examples
    --------
    >>> low, high = wilson(45, 50)
    >>> round(low, 3), round(high, 3)
    (0.786, 0.957)
    """
    if n == 0:
        return Interval(float("nan"), float("nan"))
    from scipy.stats import binomtest  # takes a second to import, and a page is waiting

    result = binomtest(successes, n).proportion_ci(confidence_level=level, method="wilson")
    return Interval(float(result.low), float(result.high))


def bootstrap_rates(
    hits: Hits, cells: NDArray[np.int64], count: int = 4, replicates: int = 2000, seed: int = 0
) -> NDArray[np.float64]:
    """Resample faces within their cells and return how often each seed hits in each cell in each replicate.

    The same face is judged by the classifiers of all seeds, so faces are drawn once for all of them: intervals of
    differences then profit from the pairing.

    Parameters
    ----------
    hits : array, (S, N) bool, or float in [0, 1]
        Whatever is counted, for seed s and face n: that the classifier is right, or that it says "yes"; its probability,
        where decisions are drawn.
    cells : array, (N,) int
        Cell of each face, 0 to count - 1. Cells keep their size, as in a test set with equal cells.
    count : int
        Number of cells.
    replicates, seed : int
        How many, and where the drawing starts.

    Returns
    -------
    array, (replicates, S, count)
        Rates in [0, 1]; nan for an empty cell.

    Notes
    -----
    Faces of one cell on which all seeds agree with each other are alike, so a multinomial over the cell x hit patterns
    (for one seed: cell x prediction) draws the same as resampling face by face, at the cost of a handful of numbers.
    """
    generator = np.random.default_rng(seed)
    rates = np.full((replicates, len(hits), count), np.nan)
    for cell in range(count):
        members = hits[:, cells == cell]
        size = members.shape[1]
        if size == 0:
            continue
        distinct, sizes = np.unique(members, axis=1, return_counts=True)
        patterns: NDArray[np.float64] = distinct.astype(np.float64)
        for start in range(0, replicates, _CHUNK):
            part = slice(start, min(start + _CHUNK, replicates))
            drawn = generator.multinomial(size, sizes / size, size=part.stop - part.start)
            rates[part, :, cell] = drawn @ patterns.T / size
    return rates


def bootstrap_seeds(seeds: int, replicates: int = 2000, seed: int = 0) -> NDArray[np.float64]:
    """Resample seeds and return the weight of each in each replicate, (replicates, seeds); a row adds up to 1."""
    generator = np.random.default_rng((seed, seeds))  # not the stream that the faces are drawn from
    return generator.multinomial(seeds, [1 / seeds] * seeds, size=replicates) / seeds


def percentile_interval(replicates: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the central interval of bootstrap replicates (R,)."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
