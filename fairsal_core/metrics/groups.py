"""Accuracy per subgroup, and the gap between the two target groups.

The four cells are numbered as `fairsal_core.faces.CELLS` lists them: target with the confounder, target without, other
with, other without.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.intervals import Interval, bootstrap_cells, percentile_interval, wilson

TARGET_CELLS = (0, 1)
OTHER_CELLS = (2, 3)
ALL_CELLS = TARGET_CELLS + OTHER_CELLS


class Estimate(NamedTuple):
    """A number with its 95% interval.

    `cells` says what it is about: the accuracy over these cells; empty for the gap. `n` counts faces.
    """

    cells: tuple[int, ...]
    value: float
    interval: Interval
    n: int


def cell_numbers(target: NDArray[np.bool_], confounder: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the cell 0 to 3 of each face.

    Examples
    --------
    >>> cell_numbers(np.array([True, True, False, False]), np.array([True, False, True, False])).tolist()
    [0, 1, 2, 3]
    """
    return 2 * (~target).astype(np.int64) + (~confounder).astype(np.int64)


def gap(accuracy_target: float, accuracy_other: float) -> float:
    """Return other minus target: with target Male, women minus men in accuracy, as in De Coninck et al. (2024)."""
    return accuracy_other - accuracy_target


def subgroup_estimates(correct: NDArray[np.bool_], cells: NDArray[np.int64], seed: int = 0) -> list[Estimate]:
    """Return accuracy over all faces, the two target groups and the four cells, and the gap.

    Parameters
    ----------
    correct : array, (S, N) bool
        Whether the classifier of each seed is right on each face; S = 1 for one classifier.
    cells : array, (N,) int
        Cell of each face.
    seed : int
        Of the bootstrap.

    Returns
    -------
    list of Estimate
        All, target, other, the four cells, as far as they have faces; then the gap, with no cells, nan where a target
        group has no faces.

    Notes
    -----
    One classifier's accuracies get Wilson's interval, which holds at 0 and 1 too. Everything else is bootstrapped over
    faces within cells and, with several seeds, over seeds.
    """
    replicates = bootstrap_cells(correct, cells, seed=seed)
    estimates = [
        _accuracy(correct, cells, replicates, members) for members in _groups() if np.isin(cells, members).any()
    ]
    sizes = np.bincount(cells, minlength=len(ALL_CELLS))
    if not all(np.isin(cells, members).any() for members in (TARGET_CELLS, OTHER_CELLS)):
        return [*estimates, Estimate((), float("nan"), Interval(float("nan"), float("nan")), len(cells))]
    target, other = (_pooled(replicates, sizes, members) for members in (TARGET_CELLS, OTHER_CELLS))
    values = [float(correct[:, np.isin(cells, members)].mean()) for members in (TARGET_CELLS, OTHER_CELLS)]
    return [*estimates, Estimate((), gap(*values), percentile_interval(other - target), len(cells))]


def _groups() -> Iterator[tuple[int, ...]]:
    yield ALL_CELLS
    yield TARGET_CELLS
    yield OTHER_CELLS
    for cell in ALL_CELLS:
        yield (cell,)


def _accuracy(
    correct: NDArray[np.bool_], cells: NDArray[np.int64], replicates: NDArray[np.float64], members: tuple[int, ...]
) -> Estimate:
    chosen = correct[:, np.isin(cells, members)]
    n = chosen.shape[1]
    if len(chosen) == 1:
        return Estimate(members, float(chosen.mean()), wilson(int(chosen.sum()), n), n)
    sizes = np.bincount(cells, minlength=len(ALL_CELLS))
    return Estimate(members, float(chosen.mean()), percentile_interval(_pooled(replicates, sizes, members)), n)


def _pooled(replicates: NDArray[np.float64], sizes: NDArray[np.int64], members: tuple[int, ...]) -> NDArray[np.float64]:
    filled = [cell for cell in members if sizes[cell]]
    pooled: NDArray[np.float64] = np.average(replicates[:, filled], axis=1, weights=sizes[filled])
    return pooled
