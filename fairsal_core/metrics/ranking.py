"""How well scores put faces that show something before those that do not: the area under the ROC curve, and its interval."""

import math

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.intervals import LEVEL, Interval

_EDGE = 1e-9


def roc_auc(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the area under the ROC curve of each column of scores: Mann and Whitney's U over its largest value.

    Parameters
    ----------
    scores : array, (N, ...)
        One a face; higher for faces thought to show it.
    labels : array, (N,) bool
        Whether a face shows it.

    Returns
    -------
    array, (...,)
        In [0, 1], ties counted as halves; NaN where all faces have one label.

    Examples
    --------
    >>> float(roc_auc(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False])))
    0.75
    """
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return np.full(scores.shape[1:], math.nan)
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=0)[labels].sum(axis=0)
    area: NDArray[np.float64] = (ranks - positives * (positives + 1) / 2) / (positives * negatives)
    return area


def auc_interval(auc: float, positives: int, negatives: int, level: float = LEVEL) -> Interval:
    """Return an interval of an area under the ROC curve, never of zero width; (nan, nan) where one class has no face.

    Its ends are the areas that this one differs from by as many of their own standard errors as the level asks for, so it holds
    near 1 too.

    References
    ----------
    Newcombe (2006), *Confidence intervals for an effect size measure based on the Mann-Whitney statistic. Part 2*, method 5: the
    variance is Hanley and McNeil's (1982) with the mean of both numbers in the place of each.

    Examples
    --------
    >>> low, high = auc_interval(1.0, 20, 20)
    >>> round(low, 3), high
    (0.899, 1.0)
    """
    if not positives or not negatives or math.isnan(auc):
        return Interval(math.nan, math.nan)
    from scipy.optimize import brentq
    from scipy.stats import norm

    errors = float(norm.ppf((1 + level) / 2))
    others = (positives + negatives) / 2 - 1

    def away(true: float) -> float:
        spread = 1 + others * ((1 - true) / (2 - true) + true / (1 + true))
        return (auc - true) ** 2 - errors**2 * true * (1 - true) * spread / (positives * negatives)

    inside = min(max(auc, _EDGE), 1 - _EDGE)  # at 0 and 1 themselves both sides are 0
    low = float(brentq(away, 0.0, inside)) if auc > 0 else 0.0
    high = float(brentq(away, inside, 1.0)) if auc < 1 else 1.0
    return Interval(low, high)
