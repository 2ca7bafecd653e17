"""How sure a number is: intervals for proportions, and a bootstrap over faces and seeds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

LEVEL = 0.95
_CHUNK = 250  # replicates at a time: keeps 10,000 faces a cell within tens of megabytes


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


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
    result = binomtest(successes, n).proportion_ci(confidence_level=level, method="wilson")
    return Interval(float(result.low), float(result.high))


def bootstrap_cells(
    correct: NDArray[np.bool_], cells: NDArray[np.int64], count: int = 4, replicates: int = 2000, seed: int = 0
) -> NDArray[np.float64]:
    """Resample faces within their cells, and seeds, and return the accuracy of each cell in each replicate.

    The same face is judged by the classifiers of all seeds, so faces are drawn once for all seeds: intervals of
    differences then profit from the pairing, and the seeds' spread is part of them.

    Parameters
    ----------
    correct : array, (S, N) bool
        Whether the classifier of seed s is right on face n.
    cells : array, (N,) int
        Cell of each face, 0 to count - 1. Cells keep their size, as in a test set with equal cells.
    count : int
        Number of cells.
    replicates, seed : int
        How many, and where the drawing starts.

    Returns
    -------
    array, (replicates, count)
        Mean over the drawn seeds and faces; nan for an empty cell.
    """
    seeds = correct.shape[0]
    generator = np.random.default_rng(seed)
    drawn_seeds = generator.multinomial(seeds, [1 / seeds] * seeds, size=replicates) / seeds
    result = np.full((replicates, count), np.nan)
    for cell in range(count):
        members = correct[:, cells == cell].astype(np.float64)
        size = members.shape[1]
        if size == 0:
            continue
        for start in range(0, replicates, _CHUNK):
            part = slice(start, min(start + _CHUNK, replicates))
            drawn_faces = generator.multinomial(size, [1 / size] * size, size=part.stop - part.start) / size
            result[part, cell] = ((drawn_faces @ members.T) * drawn_seeds[part]).sum(axis=1)
    return result


def percentile_interval(replicates: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Return the central interval of bootstrap replicates (R,)."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
