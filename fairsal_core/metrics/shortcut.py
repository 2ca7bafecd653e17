"""How much a classifier leans on the confounder: the shortcut gap, and what became of it and of the worst cell."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.decisions import ALL_CELLS, TWO, Decisions, Estimate, all_cells
from fairsal_core.metrics.groups import WORST_CELL, shortcut_gap, worst_cell_estimate
from fairsal_core.metrics.intervals import Hits, Interval
from fairsal_core.metrics.mover import change_interval, contrast_interval, difference_of_sizes

SHORTCUT_GAP = "shortcut_gap"


def conflicting_cells(phi: float) -> tuple[int, ...]:
    """Return the cells in which following the training correlation `phi` of target and confounder is wrong.

    Examples
    --------
    >>> conflicting_cells(-0.7), conflicting_cells(0.4)
    ((0, 3), (1, 2))
    """
    return (1, 2) if phi > 0 else (0, 3)


def shortcut_estimate(decisions: Decisions, conflicting: Sequence[int]) -> Estimate:
    """Return the shortcut gap, -1 to 1, with its 95% interval; nan where a cell has no faces."""
    if not decisions.sizes.all():
        return Estimate(SHORTCUT_GAP, ALL_CELLS, math.nan, Interval(math.nan, math.nan), len(decisions.cells))
    interval = contrast_interval(decisions.correct, decisions.cells, _weights(conflicting))
    value = shortcut_gap(decisions.rates, tuple(conflicting))
    return Estimate(SHORTCUT_GAP, ALL_CELLS, value, interval, len(decisions.cells))


def shortcut_change(before: Hits, after: Hits, cells: NDArray[np.int64], conflicting: Sequence[int]) -> Estimate:
    """Return the change of the shortcut gap, after minus before, by the same seeds on the same faces.

    Parameters
    ----------
    before, after : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of seed s is right on face n.
    cells : array, (N,) int
        Cell of each face.
    conflicting : sequence of int
        As `conflicting_cells` gives.

    Returns
    -------
    Estimate
        With a 95% interval that profits from the pairing; nan where a cell has no faces.
    """
    first, second = (shortcut_estimate(Decisions(hits, cells), conflicting) for hits in (before, after))
    interval = change_interval(before, after, cells, _weights(conflicting))
    return second._replace(value=second.value - first.value, interval=interval)


def worst_cell_change(before: Hits, after: Hits, cells: NDArray[np.int64], groups: int = TWO) -> Estimate:
    """Return by how much the lowest accuracy of a cell rose, after minus before; parameters as for `change_estimates`.

    Where the worst cell stays the same, the faces pair the two. Else their intervals are put together as if nothing did.
    """
    first, second = (worst_cell_estimate(Decisions(hits, cells, groups)) for hits in (before, after))
    if first.cells == second.cells:
        weights = np.isin(all_cells(groups), first.cells).astype(float)
        interval = change_interval(before, after, cells, weights)
    else:
        interval = difference_of_sizes(first.value, first.interval, second.value, second.interval)
    return Estimate(WORST_CELL, second.cells, second.value - first.value, interval, second.n)


def _weights(conflicting: Sequence[int]) -> NDArray[np.float64]:
    return np.where(np.isin(ALL_CELLS, list(conflicting)), -0.5, 0.5)
