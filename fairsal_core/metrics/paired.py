"""How much better one classifier is than another on the same faces, with intervals that profit from the pairing."""

import math

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics.decisions import TWO, Decisions, Estimate
from fairsal_core.metrics.groups import ACCURACY, EQUALIZED_ODDS, GAP, gap_weights, odds_interval
from fairsal_core.metrics.intervals import LEVEL, Hits, Interval
from fairsal_core.metrics.mover import Weights, change_interval, change_of_sizes, contrast_interval, size_of

# Weights of the differences between two confounder groups, with it less without it: among targets, and among others.
_BETWEEN_TWO = (np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, -1.0]))


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

    Parameters as for `change_estimates`; the difference itself is `fairness_estimates`', its interval `change_of_sizes`'; of
    several groups it is what the intervals of both allow. nan where a cell has no faces.
    """
    first, second = _pair(before, after, cells, groups)
    if not first.sizes.all():
        return Estimate(EQUALIZED_ODDS, first.all_cells, math.nan, Interval(math.nan, math.nan), len(cells))
    interval = _odds_change_of_two(first, second) if groups == TWO else _odds_change_of_several(first, second)
    return Estimate(EQUALIZED_ODDS, first.all_cells, _odds(second) - _odds(first), interval, len(cells))


def _odds_change_of_two(first: Decisions, second: Decisions) -> Interval:
    firsts, seconds = _may_be_largest(first), _may_be_largest(second)
    # Where either may be the larger, each of the two may lie beyond the truth by itself, so they hold together.
    level = LEVEL if len(firsts) == len(seconds) == 1 else LEVEL**0.5
    return change_of_sizes(first.correct, second.correct, first.cells, firsts, seconds, level)


def _may_be_largest(decisions: Decisions) -> list[Weights]:
    """Return the weights of the differences between two confounder groups, without one that is surely the smaller."""
    sizes = [size_of(contrast_interval(decisions.correct, decisions.cells, each)) for each in _BETWEEN_TWO]
    surest = max(size.low for size in sizes)
    return [each for each, size in zip(_BETWEEN_TWO, sizes, strict=True) if size.high >= surest]


def _odds_change_of_several(first: Decisions, second: Decisions) -> Interval:
    """Return how far the two intervals lie apart at the most and the least, at a level at which both hold.

    Which of many pairs differs most may be another before than after, so the pairing tells little of it.
    """
    was, became = (odds_interval(each, LEVEL**0.5) for each in (first, second))
    return Interval(became.low - was.high, became.high - was.low)


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
    gaps = [abs(float(each.rates[counted] @ weights[counted])) for each in (first, second)]
    interval = change_of_sizes(first.correct, second.correct, first.cells, [weights], [weights])
    return Estimate(GAP, first.all_cells, gaps[1] - gaps[0], interval, faces)
