"""What a column does by itself: its differences with the columns of other families held fixed.

A column may differ because it comes with another one that the classifier does react to. Within each label of the target the
decisions are regressed on the column and on all columns of other families; what is left is the column's own. Those of its own
family are not held fixed: they come with it too often to be told apart.
"""

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics import Numbers, Rates
from fairsal_core.scan.columns import Columns

_LARGEST_LEVERAGE = 0.9  # of a face on its own fitted value; nearer to 1 nothing is left to learn of its error
_LEAST_LEFT = 1e-6  # of a column's variance that others do not explain; below, rounding is all there is


def own_differences(
    columns: Columns, families: NDArray[np.int64], yes: Numbers, has: NDArray[np.bool_], level: float
) -> tuple[Rates, Rates]:
    """Return the differences in true and in false positive rate that are each column's own, (A,) each.

    Parameters
    ----------
    columns : Columns
        A attributes of N faces. A label that is missing counts as the mean of the known ones.
    families : array, (A,) int
        See `families_of`.
    yes : array, (N,)
        What is said of each face, 1 or 0, or how probably it is a "yes".
    has : array, (N,) bool
        Whether each face has the target.
    level : float
        Of the intervals.

    Returns
    -------
    pair of Rates
        Coefficients of least squares; NaN for a column that others explain, or that is the same for all.

    Notes
    -----
    A linear probability model: coefficients are differences of rates. Standard errors allow for unequal variances (HC3).

    References
    ----------
    Frisch and Waugh (1933), Lovell (1963) for one column at a time. MacKinnon and White (1985) for HC3.
    """
    true_positive, false_positive = (
        _coefficients(_centred(columns, rows), families, yes[rows], level) for rows in (has, ~has)
    )
    return true_positive, false_positive


def _centred(columns: Columns, rows: NDArray[np.bool_]) -> Numbers:
    """Return the columns (n, A) of some faces less their means; 0 where a label is missing."""
    has, known = columns.has[rows].astype(np.float64), columns.known[rows]
    mean = has.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred: Numbers = np.where(known, has - mean, 0.0)
    return centred


def _coefficients(x: Numbers, families: NDArray[np.int64], yes: Numbers, level: float) -> Rates:
    from scipy.special import ndtri

    count, width = x.shape
    y = yes - yes.mean() if count else yes
    gram, towards = x.T @ x, x.T @ y
    others = np.zeros((width, width))  # column j: what of the other families' columns explains column j
    fit = np.zeros((width, width))  # column j: the coefficients of those others beside column j
    own = np.full(width, np.nan)
    left = np.zeros(width)
    for family in np.unique(families):
        members, rest = np.flatnonzero(families == family), np.flatnonzero(families != family)
        inverse = np.linalg.pinv(gram[np.ix_(rest, rest)], hermitian=True)
        explained = inverse @ gram[np.ix_(rest, members)]
        others[np.ix_(rest, members)] = explained
        left[members] = gram[members, members] - np.einsum("rm,rm->m", explained, gram[np.ix_(rest, members)])
        told = left[members] > _LEAST_LEFT * np.maximum(gram[members, members], 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            of = (towards[members] - explained.T @ towards[rest]) / left[members]
        own[members] = np.where(told, of, np.nan)
        fit[np.ix_(rest, members)] = (inverse @ towards[rest])[:, None] - explained * own[members]
    residual = x - x @ others
    error = y[:, None] - x @ fit - x * own
    leverage = np.einsum("ij,ij->i", x @ np.linalg.pinv(gram, hermitian=True), x) + 1 / max(count, 1)
    error /= 1 - np.minimum(leverage, _LARGEST_LEVERAGE)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        half = float(ndtri((1 + level) / 2)) * np.sqrt(((residual * error) ** 2).sum(axis=0)) / left
    return Rates(own, np.maximum(own - half, -1), np.minimum(own + half, 1), np.full(width, float(count)))
