"""How much better one classifier is than another on the same faces, with intervals that profit from the pairing."""

import math

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics.decisions import ALL_CELLS, OTHER_CELLS, TARGET_CELLS, Decisions, Estimate
from fairsal_core.metrics.groups import ACCURACY, BETWEEN_GROUPS, EQUALIZED_ODDS, GAP, gap_weights
from fairsal_core.metrics.intervals import LEVEL, Hits, Interval
from fairsal_core.metrics.mover import Weights, change_interval, change_of_sizes, contrast_interval, size_of


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

    Parameters as for `change_estimates`; the difference itself is `fairness_estimates`', its interval `change_of_sizes`'. nan where
    a cell has no faces.
    """
    first, second = _pair(before, after, cells)
    if not first.sizes.all():
        return Estimate(EQUALIZED_ODDS, ALL_CELLS, math.nan, Interval(math.nan, math.nan), len(cells))
    firsts, seconds = _may_be_largest(first), _may_be_largest(second)
    # Where either may be the larger, each of the two may lie beyond the truth by itself, so they hold together.
    level = LEVEL if len(firsts) == len(seconds) == 1 else LEVEL**0.5
    interval = change_of_sizes(before, after, cells, firsts, seconds, level)
    return Estimate(EQUALIZED_ODDS, ALL_CELLS, _odds(second.rates) - _odds(first.rates), interval, len(cells))


def _may_be_largest(decisions: Decisions) -> list[Weights]:
    """Return the weights of the differences between confounder groups, without one that is surely the smaller."""
    sizes = [size_of(contrast_interval(decisions.correct, decisions.cells, each)) for each in BETWEEN_GROUPS]
    surest = max(size.low for size in sizes)
    return [each for each, size in zip(BETWEEN_GROUPS, sizes, strict=True) if size.high >= surest]


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
    gaps = [abs(float(each.rates[counted] @ weights[counted])) for each in (first, second)]
    interval = change_of_sizes(first.correct, second.correct, first.cells, [weights], [weights])
    return Estimate(GAP, ALL_CELLS, gaps[1] - gaps[0], interval, faces)
