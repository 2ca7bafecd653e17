"""How much better one classifier is than another on the same faces, with intervals that profit from the pairing."""

import math

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics.groups import ACCURACY, ALL_CELLS, EQUALIZED_ODDS, GAP, OTHER_CELLS, TARGET_CELLS, Estimate
from fairsal_core.metrics.intervals import Hits, Interval, bootstrap_rates, bootstrap_seeds, percentile_interval


def change_estimates(before: Hits, after: Hits, cells: NDArray[np.int64], seed: int = 0) -> list[Estimate]:
    """Return the change in accuracy of every group, and of the gap's size, from one classifier to another.

    Parameters
    ----------
    before, after : array, (S, N) bool
        Whether the classifier of seed s is right on face n; row s of both is one seed, column n one face.
    cells : array, (N,) int
        Cell of each face.
    seed : int
        Of the bootstrap.

    Returns
    -------
    list of Estimate
        After minus before, each with a 95% interval: accuracy over all faces, the two target groups and the four cells,
        as far as they have faces; then |gap|, which is better when it falls, nan where a target group has no faces.

    Raises
    ------
    FairsalError
        If the shapes differ.

    Notes
    -----
    Faces are drawn within their cells, once for both classifiers and all seeds, and the seeds are drawn too.
    """
    if before.shape != after.shape or before.shape[1:] != cells.shape:
        raise FairsalError(
            f"A change needs the same seeds and faces before and after; got {before.shape}, {after.shape} and "
            f"{len(cells)} cells."
        )
    seeds = len(before)
    rates = bootstrap_rates(np.concatenate([before, after]), cells, seed=seed)
    weights = bootstrap_seeds(seeds, len(rates), seed)
    drawn = [np.einsum("rsc,rs->rc", part, weights) for part in (rates[:, :seeds], rates[:, seeds:])]
    exact = [_rates(part, cells) for part in (before, after)]
    sizes = np.bincount(cells, minlength=len(ALL_CELLS))
    groups = (ALL_CELLS, TARGET_CELLS, OTHER_CELLS, *((cell,) for cell in ALL_CELLS))
    changes = [_accuracy_change(exact, drawn, sizes, group) for group in groups if sizes[list(group)].any()]
    return [*changes, _gap_change(exact, drawn, sizes)]


def odds_change(before: Hits, after: Hits, cells: NDArray[np.int64], seed: int = 0) -> Estimate:
    """Return the change of the equalized odds difference between confounder groups, after minus before.

    Parameters and interval as for `change_estimates`; the difference itself is `fairness_estimates`', a mean over seeds.
    nan where a cell has no faces.
    """
    if before.shape != after.shape or before.shape[1:] != cells.shape:
        raise FairsalError(
            f"A change needs the same seeds and faces; got {before.shape}, {after.shape}, {cells.shape}."
        )
    if not np.bincount(cells, minlength=len(ALL_CELLS)).all():
        return Estimate(EQUALIZED_ODDS, ALL_CELLS, math.nan, Interval(math.nan, math.nan), len(cells))
    both, seeds = np.concatenate([before, after]), len(before)
    exact = np.stack([both[:, cells == cell].mean(axis=1) for cell in ALL_CELLS], axis=-1)
    drawn = _odds(bootstrap_rates(both, cells, seed=seed))
    change = (drawn[:, seeds:] - drawn[:, :seeds]) * bootstrap_seeds(seeds, len(drawn), seed)
    odds = _odds(exact)
    value = float(odds[seeds:].mean() - odds[:seeds].mean())
    return Estimate(EQUALIZED_ODDS, ALL_CELLS, value, percentile_interval(change.sum(axis=1)), len(cells))


def _odds(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the larger difference between confounder groups, of accuracies in the cells (..., 4).

    Among targets accuracy is the true positive rate, among others one minus the false positive rate.
    """
    differences = np.abs(accuracy[..., ::2] - accuracy[..., 1::2])
    return np.asarray(differences.max(axis=-1))


def _rates(correct: Hits, cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the accuracy of each cell as one replicate, (1, 4)."""
    return np.array([[correct[:, cells == cell].mean() if (cells == cell).any() else np.nan for cell in ALL_CELLS]])


def _pooled(rates: NDArray[np.float64], sizes: NDArray[np.int64], group: tuple[int, ...]) -> NDArray[np.float64]:
    filled = [cell for cell in group if sizes[cell]]
    pooled: NDArray[np.float64] = np.average(rates[:, filled], axis=1, weights=sizes[filled])
    return pooled


def _accuracy_change(
    exact: list[NDArray[np.float64]], drawn: list[NDArray[np.float64]], sizes: NDArray[np.int64], group: tuple[int, ...]
) -> Estimate:
    value = _pooled(exact[1], sizes, group) - _pooled(exact[0], sizes, group)
    replicates = _pooled(drawn[1], sizes, group) - _pooled(drawn[0], sizes, group)
    return Estimate(ACCURACY, group, float(value[0]), percentile_interval(replicates), int(sizes[list(group)].sum()))


def _gap_change(
    exact: list[NDArray[np.float64]], drawn: list[NDArray[np.float64]], sizes: NDArray[np.int64]
) -> Estimate:
    n = int(sizes.sum())
    if not all(sizes[list(group)].any() for group in (TARGET_CELLS, OTHER_CELLS)):
        nan = float("nan")
        return Estimate(GAP, ALL_CELLS, nan, percentile_interval(np.array([nan])), n)

    def size(rates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.abs(_pooled(rates, sizes, OTHER_CELLS) - _pooled(rates, sizes, TARGET_CELLS))

    value = size(exact[1]) - size(exact[0])
    return Estimate(GAP, ALL_CELLS, float(value[0]), percentile_interval(size(drawn[1]) - size(drawn[0])), n)
