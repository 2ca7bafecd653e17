"""Accuracy as a population would see it whose cells are as common as one says, of any number of cells."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.decisions import Estimate
from fairsal_core.metrics.groups import ACCURACY, GAP
from fairsal_core.metrics.intervals import Hits, Interval
from fairsal_core.metrics.mover import contrast_interval
from fairsal_core.metrics.proportions import Numbers


class InPopulation(NamedTuple):
    """Accuracy of all, of those with the target and of the others, and how far the last lie above the former: the gap."""

    all: Estimate
    target: Estimate
    other: Estimate
    gap: Estimate


def in_population(
    correct: Hits, cells: NDArray[np.int64], prevalence: Numbers, of_target: NDArray[np.bool_]
) -> InPopulation:
    """Return accuracy and gap in a population.

    Parameters
    ----------
    correct : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of each seed is right on each face; where its decisions are drawn, the probability that it is.
    cells : array, (N,) int
        Cell of each face, 0 to C - 1.
    prevalence : array, (C,)
        How common each cell is, in any unit. Of a cell without a judged face nothing is known: it is left out.
    of_target : array, (C,) bool
        Whether the faces of a cell have the target.

    Notes
    -----
    Intervals are `contrast_interval`'s. nan where no judged face is of the population.
    """
    judged = np.bincount(cells, minlength=len(prevalence)) > 0
    weights = np.where(judged, np.asarray(prevalence, dtype=np.float64), 0.0)
    everybody, target, other = (_normed(np.where(chosen, weights, 0)) for chosen in (True, of_target, ~of_target))

    def of(metric: str, shares: Numbers) -> Estimate:
        counted = np.flatnonzero(shares)
        faces = int(np.isin(cells, counted).sum())
        if np.isnan(shares).any():
            return Estimate(metric, (), math.nan, Interval(math.nan, math.nan), 0)
        value = sum(float(shares[cell] * correct[:, cells == cell].mean()) for cell in counted)
        return Estimate(metric, tuple(counted.tolist()), value, contrast_interval(correct, cells, shares), faces)

    all_faces, with_it, without = (of(ACCURACY, each) for each in (everybody, target, other))
    return InPopulation(all_faces, with_it, without, of(GAP, other - target))


def _normed(weights: Numbers) -> Numbers:
    """Return weights that add up to 1; NaN where all are 0."""
    total = weights.sum()
    return weights / total if total else np.full_like(weights, math.nan)
