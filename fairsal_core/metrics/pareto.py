"""Which of several compromises another one beats in everything."""

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError


def dominated(gain: NDArray[np.floating], cost: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which points (N,) another one dominates: at least as much gain for at most the same cost, and one of them better.

    Parameters
    ----------
    gain, cost : arrays, (N,)
        Better when larger, such as accuracy; better when smaller, such as the equalized odds difference. A point with NaN
        neither dominates nor is dominated.

    Raises
    ------
    FairsalError
        If the shapes differ.

    Examples
    --------
    >>> dominated(np.array([0.9, 0.8, 0.7]), np.array([0.3, 0.1, 0.2])).tolist()
    [False, False, True]
    """
    if gain.shape != cost.shape or gain.ndim != 1:
        raise FairsalError(f"Expected gain and cost of one shape (N,), got {gain.shape} and {cost.shape}.")
    no_worse = (gain[:, None] >= gain) & (cost[:, None] <= cost)
    better = (gain[:, None] > gain) | (cost[:, None] < cost)
    result: NDArray[np.bool_] = np.asarray((no_worse & better).any(axis=0))
    return result
