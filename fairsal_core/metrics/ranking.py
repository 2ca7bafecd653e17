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


def auc_change_interval(
    before: NDArray[np.floating], after: NDArray[np.floating], labels: NDArray[np.bool_], level: float = LEVEL
) -> Interval:
    """Return an interval of how much larger the area of `after` is than that of `before`, scores (N,) of the same faces.

    Faces of which both say the same leave no doubt: at equal rankings its width is zero. (nan, nan) where a class has fewer than
    two faces.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), *Comparing the areas under two or more correlated ROC curves*: an area is the mean
    of the placements of either class among the other, of whose paired differences the variances add up.

    Examples
    --------
    >>> labels = np.arange(400) % 2 == 0
    >>> noise = np.sin(np.arange(400.0) ** 2)
    >>> low, high = auc_change_interval(noise + 0.2 * labels, noise + labels, labels)
    >>> 0.1 < low < high < 0.3
    True
    """
    positives = int(labels.sum())
    if min(positives, len(labels) - positives) < 2:
        return Interval(math.nan, math.nan)
    from scipy.stats import norm

    pairs = zip(_placements(before, labels), _placements(after, labels), strict=True)
    moved = [there - here for here, there in pairs]
    error = math.sqrt(sum(float(each.var(ddof=1)) / len(each) for each in moved))
    change, reach = float(moved[0].mean()), float(norm.ppf((1 + level) / 2)) * error
    return Interval(max(change - reach, -1.0), min(change + reach, 1.0))


def _placements(
    scores: NDArray[np.floating], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of the other class each positive lies above, and each negative below, ties counted as halves."""
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    above, below = (ranks[side] - rankdata(scores[side]) for side in (labels, ~labels))
    return above / (~labels).sum(), 1 - below / labels.sum()
