"""Rates by group of the classifiers that several seeds trained, and what becomes of them from one variant to another.

For one seed the rates are `group_rates`, whose intervals are those of proportions. Several seeds judge the same faces: what is
said of a face is not said anew by each, so counting them together would promise too much. Their intervals are `mover`'s, of the
faces and of what trainings differ by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics.crossed import (
    ACCURACY_RATE,
    FALSE_NEGATIVE_RATE,
    FALSE_POSITIVE_RATE,
    GROUP_RATES,
    SELECTION_RATE,
    TRUE_POSITIVE_RATE,
    Spread,
    group_rates,
    impact_ratios,
    spread_of,
    tally,
)
from fairsal_core.metrics.intervals import LEVEL, Hits, Interval
from fairsal_core.metrics.mover import change_interval, contrast_interval
from fairsal_core.metrics.proportions import Numbers, Rates

_TARGET, _OTHER = (1.0, 0.0), (0.0, 1.0)  # what faces with the target, and without, weigh


class _Counted(NamedTuple):
    """What a rate counts, (S, N), and what faces with the target and without weigh in it in each group, (G, 2).

    Weights of one column, (G, 1), are of all faces alike.
    """

    hits: NDArray[np.float64]
    weights: Numbers

    @property
    def apart(self) -> bool:
        """Whether faces with the target and without are weighed apart."""
        return bool(self.weights.shape[1] > 1)


@dataclass(frozen=True, eq=False)
class GroupDecisions:
    """What the classifiers of a variant, one for each seed, decided about faces in any number of groups.

    Attributes
    ----------
    yes : array, (S, N) bool, or float in [0, 1]
        What each seed's classifier says of each face, or how probably it says "yes".
    target : array, (N,) bool
        Whether each face has the target.
    groups : array, (N,) int
        Group of each face, 0 to `count` - 1.
    count : int
        Number of groups.
    share : float or array (G,), optional
        How large a share of a group has the target, as for `group_rates`; by default as the faces are.
    """

    yes: Hits
    target: NDArray[np.bool_]
    groups: NDArray[np.int64]
    count: int
    share: float | Numbers | None = None

    def rates(self, level: float = LEVEL) -> dict[str, Rates]:
        """Return each of GROUP_RATES for each group, (G,): means over seeds, `n` the faces that a rate is of."""
        if len(self.yes) == 1:
            return group_rates(tally(self.yes[0], self.target, self.groups, self.count), self.share, level)
        return {metric: self._rates(counted, level) for metric, counted in self._counted().items()}

    def impact(self, counted: NDArray[np.bool_]) -> Rates:
        """Return the selection rate of each group over that of the most selected, as `impact_ratios` does."""
        return impact_ratios(self._one(SELECTION_RATE), counted)

    def spread(self, metric: str, counted: NDArray[np.bool_]) -> Spread:
        """Return how far apart the counted groups are in one of GROUP_RATES, as `spread_of` does.

        Seeds move groups together, or against each other: differences of several seeds are looked at seed by seed.
        """
        one = self._counted()[metric]

        def differences(level: float, which: NDArray[np.int64]) -> Rates:
            return self._differences(one, level, which)

        return spread_of(self._one(metric), counted, differences if len(self.yes) > 1 else None)

    def changes(self, after: "GroupDecisions") -> dict[str, Rates]:
        """Return what becomes of each of GROUP_RATES of each group, after minus before, by the same seeds on the same faces.

        Raises
        ------
        FairsalError
            If the two are about other faces, groups or numbers of seeds.
        """
        alike = self.yes.shape == after.yes.shape and self.count == after.count
        same = ((self.groups, after.groups), (self.target, after.target), (self.share, after.share))
        if not alike or not all(np.array_equal(*each) for each in same):
            raise FairsalError("A change by group needs the same seeds, faces and groups before and after.")
        befores, afters = self._counted(), after._counted()
        return {metric: self._changes(befores[metric], afters[metric]) for metric in GROUP_RATES}

    def _one(self, metric: str) -> Callable[[float], Rates]:
        """Return one of the rates as a function of the level."""
        if len(self.yes) == 1:
            return lambda level: self.rates(level)[metric]
        return partial(self._rates, self._counted()[metric])

    def _counted(self) -> dict[str, _Counted]:
        yes = np.asarray(self.yes, dtype=np.float64)
        right = np.where(self.target, yes, 1 - yes)
        target, other = (np.tile(weights, (self.count, 1)) for weights in (_TARGET, _OTHER))
        mixed = self._mixed()
        return {
            SELECTION_RATE: _Counted(yes, mixed),
            TRUE_POSITIVE_RATE: _Counted(yes, target),
            FALSE_POSITIVE_RATE: _Counted(yes, other),
            FALSE_NEGATIVE_RATE: _Counted(1 - yes, target),
            ACCURACY_RATE: _Counted(right, mixed),
        }

    def _mixed(self) -> Numbers:
        if self.share is None:
            return np.ones((self.count, 1))
        share = np.broadcast_to(np.asarray(self.share, dtype=np.float64), self.count)
        return np.stack([share, 1 - share], axis=1)

    def _rates(self, counted: _Counted, level: float) -> Rates:
        return self._each(counted, lambda hits, strata, weights: contrast_interval(hits, strata, weights, level))

    def _changes(self, before: _Counted, after: _Counted) -> Rates:
        both = before._replace(hits=np.stack([before.hits, after.hits]))
        return self._each(both, lambda hits, strata, weights: change_interval(hits[0], hits[1], strata, weights))

    def _each(self, counted: _Counted, interval: Callable[..., Interval]) -> Rates:
        """Return something of each group: its value, the last hits' less the first's where there are two, and its interval."""
        found = []
        for group in range(self.count):
            chosen = self.groups == group
            hits, strata = counted.hits[..., chosen], self._strata(counted, chosen)
            weights = counted.weights[group]
            weighed = np.isin(strata, np.flatnonzero(weights))
            values = _values(hits, strata, weights)
            value = float(values if values.ndim == 0 else values[1] - values[0])
            found.append((value, *interval(hits, strata, weights), float(weighed.sum())))
        columns = np.array(found, dtype=np.float64).reshape(self.count, 4).T
        return Rates(*columns)

    def _differences(self, counted: _Counted, level: float, which: NDArray[np.int64]) -> Rates:
        """Return each group's rate less each other's, (G', G') for the G' groups asked for."""
        strata_of_one = counted.weights.shape[1]
        shape = (len(which), len(which))
        low, high = np.zeros(shape), np.zeros(shape)
        for place, first in enumerate(which):
            for other, second in enumerate(which[:place]):
                chosen = np.isin(self.groups, (first, second))
                strata = self._strata(counted, chosen) + strata_of_one * (self.groups[chosen] == second)
                weights = np.concatenate([counted.weights[first], -counted.weights[second]])
                ends = contrast_interval(counted.hits[:, chosen], strata, weights, level)
                low[place, other], high[place, other] = ends
                low[other, place], high[other, place] = -ends.high, -ends.low
        unknown = np.full(shape, np.nan)
        return Rates(unknown, low, high, unknown)

    def _strata(self, counted: _Counted, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        if not counted.apart:
            return np.zeros(int(chosen.sum()), dtype=np.int64)
        return (~self.target[chosen]).astype(np.int64)


def _values(hits: NDArray[np.float64], strata: NDArray[np.int64], weights: Numbers) -> Numbers:
    """Return the weighted sum of the strata's means over seeds and faces; NaN where one that counts has no faces."""
    total = np.zeros(hits.shape[:-2])
    for stratum in np.flatnonzero(weights):
        members = hits[..., strata == stratum]
        total = total + (weights[stratum] * members.mean(axis=(-2, -1)) if members.size else np.nan)
    return total
