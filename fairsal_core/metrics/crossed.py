"""Rates of decisions by group, for any number of groups: values of one protected attribute, or crossings of several.

Definitions are those of `fairlearn.metrics.MetricFrame`; what it leaves out are intervals, and which groups are large enough.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.intervals import LEVEL, level_of_pairs
from fairsal_core.metrics.proportions import (
    Numbers,
    Rates,
    difference_of,
    mixture_of,
    rates_of,
    ratio_of,
    size_of_difference,
)

SELECTION_RATE = "selection_rate"
TRUE_POSITIVE_RATE = "true_positive_rate"
FALSE_POSITIVE_RATE = "false_positive_rate"
FALSE_NEGATIVE_RATE = "false_negative_rate"
ACCURACY_RATE = "accuracy"
GROUP_RATES = (SELECTION_RATE, TRUE_POSITIVE_RATE, FALSE_POSITIVE_RATE, FALSE_NEGATIVE_RATE, ACCURACY_RATE)
LEAST_SHARE = 0.02
"""Of all faces: a smaller group is named and counted, and no verdict rests on it (New York City, Local Law 144 of 2021)."""


class Crossing(NamedTuple):
    """Which group each face is in, (N,) int, and the class of each attribute that a group has, (G, A) int, -1 where unknown."""

    numbers: NDArray[np.int64]
    classes: NDArray[np.int64]


class Tally(NamedTuple):
    """Of each group, (G,): faces with the target and without, and how many of either are said to have it (or expected to be)."""

    target: Numbers
    other: Numbers
    hits: Numbers
    false: Numbers

    @property
    def faces(self) -> Numbers:
        """Faces of each group."""
        return self.target + self.other


class Spread(NamedTuple):
    """How far apart groups are: the largest less the smallest rate, and the smallest over the largest."""

    difference: float
    difference_low: float
    difference_high: float
    ratio: float
    ratio_low: float
    ratio_high: float


def cross(codes: Sequence[NDArray[np.int64]]) -> Crossing:
    """Return the crossing of attributes, each given as class numbers (N,), -1 where unknown, which is a class of its own.

    Examples
    --------
    >>> crossing = cross([np.array([0, 1, 0, 1]), np.array([2, 0, -1, 0])])
    >>> crossing.numbers.tolist(), crossing.classes.tolist()
    ([1, 2, 0, 2], [[0, -1], [0, 2], [1, 0]])
    """
    classes, numbers = np.unique(np.stack(codes, axis=1), axis=0, return_inverse=True)
    return Crossing(numbers.reshape(-1).astype(np.int64), classes)


def tally(yes: NDArray[np.bool_] | Numbers, target: NDArray[np.bool_], groups: NDArray[np.int64], count: int) -> Tally:
    """Count decisions by group: `yes` (N,) is what is said of each face, or how probably; `groups` (N,) are 0 to count - 1."""
    said = np.asarray(yes, dtype=np.float64)

    def counted(of: NDArray[np.bool_], weights: Numbers | None = None) -> Numbers:
        chosen = None if weights is None else weights[of]
        return np.bincount(groups[of], weights=chosen, minlength=count).astype(np.float64)

    return Tally(counted(target), counted(~target), counted(target, said), counted(~target, said))


def group_rates(found: Tally, share: float | Numbers | None = None, level: float = LEVEL) -> dict[str, Rates]:
    """Return each of GROUP_RATES for each group, (G,).

    Parameters
    ----------
    found : Tally
        The counts.
    share : float or array (G,), optional
        How large a share of a group has the target, for selection rate and accuracy, which depend on it: 0.5 is the
        view of equal cells, each group's own in a population the natural one. By default as the faces are.
    level : float
        Of the intervals: Wilson's, put together by MOVER where `share` mixes two rates.
    """
    true_positive, false_positive = rates_of(found.hits, found.target, level), rates_of(found.false, found.other, level)
    right = rates_of(found.other - found.false, found.other, level)
    if share is None:
        selected = rates_of(found.hits + found.false, found.faces, level)
        accuracy = rates_of(found.hits + found.other - found.false, found.faces, level)
    else:
        selected = mixture_of(true_positive, false_positive, share)
        accuracy = mixture_of(true_positive, right, share)
    missed = rates_of(found.target - found.hits, found.target, level)
    return dict(zip(GROUP_RATES, (selected, true_positive, false_positive, missed, accuracy), strict=True))


def large_enough(faces: Numbers, least_share: float = LEAST_SHARE, fewest: int = 1) -> NDArray[np.bool_]:
    """Return which groups have at least that share of all faces, and at least so many, (G,)."""
    enough: NDArray[np.bool_] = (faces >= least_share * faces.sum()) & (faces >= fewest)
    return enough


def impact_ratios(rates: Callable[[float], Rates], counted: NDArray[np.bool_]) -> Rates:
    """Return the rate of each group over that of the most selected, (G,); NaN for those not counted, or if nobody is selected.

    Parameters
    ----------
    rates : callable
        Level to the groups' rates (G,), with intervals of that level.
    counted : array, (G,) bool
        The groups that can be the most selected.

    Notes
    -----
    Which group is selected most is seen in the same faces. A ratio to the most selected is the least of the ratios to all:
    its lower end is the least lower end, which holds whichever group that is, and its upper end the least of upper ends at
    a level that all of them keep together.
    """
    ordinary = rates(LEVEL)
    counted = counted & np.isfinite(ordinary.value)
    if not ordinary.value[counted].any():
        nothing = np.full(len(counted), math.nan)
        return Rates(nothing, nothing, nothing, ordinary.n)
    value, low, high = (
        np.where(counted, np.fmin.reduce(each, axis=1, initial=1.0), math.nan) for each in _ratios(rates, counted)
    )
    return Rates(value, low, high, ordinary.n)


def spread_of(
    rates: Callable[[float], Rates],
    counted: NDArray[np.bool_],
    differences: Callable[[float, NDArray[np.int64]], Rates] | None = None,
) -> Spread:
    """Return how far apart the counted groups are, with intervals that allow for the two ends having been looked for.

    Parameters
    ----------
    rates, counted
        As for `impact_ratios`. NaN for fewer than two groups; a group without a rate is left out.
    differences : callable, optional
        Level and the numbers of some groups to each one's rate less each other's, with intervals, where these are not those of
        independent rates.

    Notes
    -----
    The largest difference is at least as large as that of any two groups, so its lower end is the largest of lower ends at a
    level that all pairs keep together (Sidak 1967); its upper end is the largest upper end. The ratio is the same upside down.
    """
    ordinary = rates(LEVEL)
    counted = counted & np.isfinite(ordinary.value)
    if counted.sum() < 2:
        return Spread(*(math.nan,) * 6)
    surely, which = level_of_pairs(int(counted.sum())), np.flatnonzero(counted)
    signed = differences or (lambda level, some: _differences(rates(level), some))
    surer, plain = (size_of_difference(signed(level, which)) for level in (surely, LEVEL))
    apart = float(np.ptp(ordinary.value[counted])), float(np.nanmax(surer.low)), float(np.nanmax(plain.high))
    if not ordinary.value[counted].any():
        return Spread(*apart, math.nan, math.nan, math.nan)
    ratio, low, high = (float(np.fmin.reduce(each, axis=None, initial=1.0)) for each in _ratios(rates, counted))
    return Spread(*apart, ratio, low, high)


def _differences(rates: Rates, which: NDArray[np.int64]) -> Rates:
    of = rates.at(which)
    return difference_of(of.at((slice(None), None)), of.at((None, slice(None))))


def _ratios(rates: Callable[[float], Rates], counted: NDArray[np.bool_]) -> tuple[Numbers, Numbers, Numbers]:
    """Return the ratios of each group to each counted one (G, G): values, lower ends, and upper ends that hold together."""
    ordinary, surer = rates(LEVEL), rates(level_of_pairs(int(counted.sum())))
    by_row, by_column = (slice(None), None), (None, slice(None))
    plain, wide = (ratio_of(each.at(by_row), each.at(by_column)) for each in (ordinary, surer))
    pairs = counted[:, None] & counted & ~np.eye(len(counted), dtype=bool)
    value, low, high = (np.where(pairs, each, np.nan) for each in (plain.value, plain.low, wide.high))
    return value, low, high
