"""How much better one classifier is than another on the same faces, with intervals that profit from the pairing."""

import math

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics.decisions import TWO, Decisions, Estimate
from fairsal_core.metrics.groups import ACCURACY, EQUALIZED_ODDS, GAP, difference_intervals, gap_weights
from fairsal_core.metrics.intervals import Hits, Interval
from fairsal_core.metrics.mover import change_interval, contrast_interval, difference_of_sizes, size_of


def change_estimates(before: Hits, after: Hits, cells: NDArray[np.int64], groups: int = TWO) -> list[Estimate]:
    """Return the change in accuracy of every group, and of the gap's size, from one classifier to another.

    Parameters
    ----------
    before, after : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of seed s is right on face n; row s of both is one seed, column n one face.
    cells : array, (N,) int
        Cell of each face.
    groups : int
        How many groups the protected attribute has; by default those with the confounder and without.

    Returns
    -------
    list of Estimate
        After minus before, each with a 95% interval: accuracy over all faces, the two target groups and the cells,
        as far as they have faces; then |gap|, which is better when it falls, nan where a target group has no faces.

    Raises
    ------
    FairsalError
        If the shapes differ.
    """
    first, second = _pair(before, after, cells, groups)
    parts = (first.all_cells, first.target_cells, first.other_cells, *((cell,) for cell in first.all_cells))
    changes = [_accuracy_change(first, second, part) for part in parts if first.sizes[list(part)].any()]
    return [*changes, _gap_change(first, second)]


def gap_change(before: Hits, after: Hits, cells: NDArray[np.int64]) -> Estimate:
    """Return the change of the gap's size alone; parameters as for `change_estimates`."""
    return _gap_change(*_pair(before, after, cells))


def odds_change(before: Hits, after: Hits, cells: NDArray[np.int64], groups: int = TWO) -> Estimate:
    """Return the change of the equalized odds difference between confounder groups, after minus before.

    Parameters as for `change_estimates`; the difference itself is `fairness_estimates`'. Its interval takes the two as if nothing
    paired them: which of the rates differs most may change from one to the other. nan where a cell has no faces.
    """
    first, second = _pair(before, after, cells, groups)
    if not first.sizes.all():
        return Estimate(EQUALIZED_ODDS, first.all_cells, math.nan, Interval(math.nan, math.nan), len(cells))
    odds = [_odds(each) for each in (first, second)]
    intervals = [difference_intervals(each)[2] for each in (first, second)]
    interval = difference_of_sizes(odds[0], intervals[0], odds[1], intervals[1])
    return Estimate(EQUALIZED_ODDS, first.all_cells, odds[1] - odds[0], interval, len(cells))


def _pair(before: Hits, after: Hits, cells: NDArray[np.int64], groups: int = TWO) -> tuple[Decisions, Decisions]:
    if before.shape != after.shape or before.shape[1:] != cells.shape:
        raise FairsalError(
            f"A change needs the same seeds and faces before and after; got {before.shape}, {after.shape} and "
            f"{len(cells)} cells."
        )
    return Decisions(before, cells, groups), Decisions(after, cells, groups)


def _odds(decisions: Decisions) -> float:
    """Return the larger of the differences between confounder groups, of the accuracies in the cells.

    Among targets accuracy is the true positive rate, among others one minus the false positive rate.
    """
    return float(max(np.ptp(decisions.rates[list(cells)]) for cells in (decisions.target_cells, decisions.other_cells)))


def _accuracy_change(first: Decisions, second: Decisions, group: tuple[int, ...]) -> Estimate:
    chosen = np.where(np.isin(first.all_cells, group), first.sizes, 0)
    weights = chosen / chosen.sum()
    counted = weights > 0
    value = float((second.rates - first.rates)[counted] @ weights[counted])
    interval = change_interval(first.correct, second.correct, first.cells, weights)
    return Estimate(ACCURACY, group, value, interval, int(chosen.sum()))


def _gap_change(first: Decisions, second: Decisions) -> Estimate:
    faces = len(first.cells)
    if not all(first.sizes[list(group)].any() for group in (first.target_cells, first.other_cells)):
        return Estimate(GAP, first.all_cells, math.nan, Interval(math.nan, math.nan), faces)
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
    return Estimate(GAP, first.all_cells, abs(gaps[1]) - abs(gaps[0]), interval, faces)
