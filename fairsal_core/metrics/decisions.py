"""What group metrics are computed from: the decisions about faces in the four cells; what they give.

The four cells are numbered as `fairsal_core.faces.CELLS` lists them: target with the confounder, target without, other
with, other without.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.intervals import Hits, Interval

TARGET_CELLS = (0, 1)
OTHER_CELLS = (2, 3)
ALL_CELLS = TARGET_CELLS + OTHER_CELLS

T = TypeVar("T")


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
    """

    correct: Hits
    cells: NDArray[np.int64]
    _kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def target(self) -> NDArray[np.bool_]:
        """Whether each face has the target attribute, (N,)."""
        return np.isin(self.cells, TARGET_CELLS)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many faces each cell has, (4,)."""
        return np.bincount(self.cells, minlength=len(ALL_CELLS))

    @cached_property
    def yes(self) -> Hits:
        """Whether each face is said to have the target attribute, (S, N), or how probably."""
        if self.correct.dtype == bool:
            return np.asarray(self.correct == self.target)
        return np.where(self.target, self.correct, 1 - self.correct)

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """How often each cell's faces are classified rightly, over all seeds, (4,); nan in an empty cell."""
        return np.array(
            [self.correct[:, self.cells == cell].mean() if self.sizes[cell] else np.nan for cell in ALL_CELLS]
        )

    def once(self, compute: Callable[["Decisions"], T]) -> T:
        """Return what a function makes of these decisions; asked again, the same."""
        if compute not in self._kept:
            self._kept[compute] = compute(self)
        kept: T = self._kept[compute]
        return kept
