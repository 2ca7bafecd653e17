"""What group metrics are computed from: the decisions about faces in the cells; what they give.

A cell is one of the two labels of the target in one group of the protected attribute. Cells are numbered as
`fairsal_core.faces.cells_of` lists them: those of the target, group by group, then the others'. Of a confounder that is there or
not, these are four: target with it, target without, other with, other without.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.intervals import Hits, Interval

TWO = 2
"""Groups of a confounder that is there or not."""

T = TypeVar("T")


def target_cells(groups: int = TWO) -> tuple[int, ...]:
    """Return the cells of faces with the target attribute, for so many groups."""
    return tuple(range(groups))


def other_cells(groups: int = TWO) -> tuple[int, ...]:
    """Return the cells of faces without the target attribute, for so many groups."""
    return tuple(range(groups, 2 * groups))


def all_cells(groups: int = TWO) -> tuple[int, ...]:
    """Return all cells, for so many groups."""
    return tuple(range(2 * groups))


TARGET_CELLS, OTHER_CELLS, ALL_CELLS = target_cells(), other_cells(), all_cells()


class Estimate(NamedTuple):
    """A number with its 95% interval.

    `metric` says what it is, `cells` which cells it is about, `n` counts their faces.
    """

    metric: str
    cells: tuple[int, ...]
    value: float
    interval: Interval
    n: int


@dataclass(frozen=True, eq=False)
class Decisions:
    """What one classifier, or one for each seed, decided about the test faces. What several metrics need is computed once.

    Attributes
    ----------
    correct : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of each seed is right on each face; where its decisions are drawn, the probability that it is.
    cells : array, (N,) int
        Cell of each face.
    groups : int
        How many groups the protected attribute has.
    """

    correct: Hits
    cells: NDArray[np.int64]
    groups: int = TWO
    _kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def target_cells(self) -> tuple[int, ...]:
        """The cells of faces with the target attribute."""
        return target_cells(self.groups)

    @property
    def other_cells(self) -> tuple[int, ...]:
        """The cells of faces without it."""
        return other_cells(self.groups)

    @property
    def all_cells(self) -> tuple[int, ...]:
        """All cells."""
        return all_cells(self.groups)

    def cells_of(self, group: int) -> tuple[int, int]:
        """Return the two cells of a group: with the target attribute, and without."""
        return group, group + self.groups

    @cached_property
    def target(self) -> NDArray[np.bool_]:
        """Whether each face has the target attribute, (N,)."""
        return np.asarray(self.cells < self.groups)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many faces each cell has, (C,)."""
        return np.bincount(self.cells, minlength=2 * self.groups)

    @cached_property
    def yes(self) -> Hits:
        """Whether each face is said to have the target attribute, (S, N), or how probably."""
        if self.correct.dtype == bool:
            return np.asarray(self.correct == self.target)
        return np.where(self.target, self.correct, 1 - self.correct)

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """How often each cell's faces are classified rightly, over all seeds, (C,); nan in an empty cell."""
        return np.array(
            [self.correct[:, self.cells == cell].mean() if self.sizes[cell] else np.nan for cell in self.all_cells]
        )

    def once(self, compute: Callable[["Decisions"], T]) -> T:
        """Return what a function makes of these decisions; asked again, the same."""
        if compute not in self._kept:
            self._kept[compute] = compute(self)
        kept: T = self._kept[compute]
        return kept
