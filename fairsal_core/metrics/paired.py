"""How much better one classifier is than another on the same faces, with intervals that profit from the pairing."""

import math

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics.decisions import ALL_CELLS, OTHER_CELLS, TARGET_CELLS, Decisions, Estimate
from fairsal_core.metrics.groups import ACCURACY, EQUALIZED_ODDS, GAP, difference_intervals, gap_weights
from fairsal_core.metrics.intervals import Hits, Interval
from fairsal_core.metrics.mover import change_interval, contrast_interval, difference_of_sizes, size_of


def change_estimates(before: Hits, after: Hits, cells: NDArray[np.int64]) -> list[Estimate]:
    """Return the change in accuracy of every group, and of the gap's size, from one classifier to another.

    Parameters
    ----------
    before, after : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of seed s is right on face n; row s of both is one seed, column n one face.
    cells : array, (N,) int
        Cell of each face.

    Returns
    -------
    list of Estimate
        After minus before, each with a 95% interval: accuracy over all faces, the two target groups and the four cells,
        as far as they have faces; then |gap|, which is better when it falls, nan where a target group has no faces.

    Raises
    ------
    FairsalError
        If the shapes differ.
    """
    first, second = _pair(before, after, cells)
    groups = (ALL_CELLS, TARGET_CELLS, OTHER_CELLS, *((cell,) for cell in ALL_CELLS))
    changes = [_accuracy_change(first, second, group) for group in groups if first.sizes[list(group)].any()]
    return [*changes, _gap_change(first, second)]


def gap_change(before: Hits, after: Hits, cells: NDArray[np.int64]) -> Estimate:
    """Return the change of the gap's size alone; parameters as for `change_estimates`."""
    return _gap_change(*_pair(before, after, cells))


def odds_change(before: Hits, after: Hits, cells: NDArray[np.int64]) -> Estimate:
    """Return the change of the equalized odds difference between confounder groups, after minus before.

    Parameters as for `change_estimates`; the difference itself is `fairness_estimates`'. Its interval takes the two as if nothing
    paired them: which of the rates differs most may change from one to the other. nan where a cell has no faces.
    """
    first, second = _pair(before, after, cells)
    if not first.sizes.all():
        return Estimate(EQUALIZED_ODDS, ALL_CELLS, math.nan, Interval(math.nan, math.nan), len(cells))
    odds = [_odds(each.rates) for each in (first, second)]
    intervals = [difference_intervals(each)[2] for each in (first, second)]
    interval = difference_of_sizes(odds[0], intervals[0], odds[1], intervals[1])
    return Estimate(EQUALIZED_ODDS, ALL_CELLS, odds[1] - odds[0], interval, len(cells))


def _pair(before: Hits, after: Hits, cells: NDArray[np.int64]) -> tuple[Decisions, Decisions]:
    if before.shape != after.shape or before.shape[1:] != cells.shape:
        raise FairsalError(
            f"A change needs the same seeds and faces before and after; got {before.shape}, {after.shape} and "
            f"{len(cells)} cells."
        )
    return Decisions(before, cells), Decisions(after, cells)


def _odds(accuracy: NDArray[np.float64]) -> float:
    """Return the larger difference between confounder groups, of the accuracies in the cells (4,).

    Among targets accuracy is the true positive rate, among others one minus the false positive rate.
    """
    return float(np.abs(accuracy[::2] - accuracy[1::2]).max())


def _accuracy_change(first: Decisions, second: Decisions, group: tuple[int, ...]) -> Estimate:
    chosen = np.where(np.isin(ALL_CELLS, group), first.sizes, 0)
    weights = chosen / chosen.sum()
    counted = weights > 0
    value = float((second.rates - first.rates)[counted] @ weights[counted])
    interval = change_interval(first.correct, second.correct, first.cells, weights)
    return Estimate(ACCURACY, group, value, interval, int(chosen.sum()))


def _gap_change(first: Decisions, second: Decisions) -> Estimate:
    faces = len(first.cells)
    if not all(first.sizes[list(group)].any() for group in (TARGET_CELLS, OTHER_CELLS)):
        return Estimate(GAP, ALL_CELLS, math.nan, Interval(math.nan, math.nan), faces)
    weights = gap_weights(first.sizes)
    counted = weights != 0
    gaps = [float(each.rates[counted] @ weights[counted]) for each in (first, second)]
    intervals = [contrast_interval(each.correct, each.cells, weights) for each in (first, second)]
    if all(min(interval) > 0 for interval in intervals) or all(max(interval) < 0 for interval in intervals):
        # Both have one sign for sure, so their sizes differ as they do, and the pairing tells.
        interval = change_interval(first.correct, second.correct, first.cells, math.copysign(1, gaps[0]) * weights)
    else:
        sizes = [size_of(interval) for interval in intervals]
        interval = difference_of_sizes(abs(gaps[0]), sizes[0], abs(gaps[1]), sizes[1])
    return Estimate(GAP, ALL_CELLS, abs(gaps[1]) - abs(gaps[0]), interval, faces)
