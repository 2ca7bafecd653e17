"""Arrays that lie in several files, read as one."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Rows:
    """The rows of several arrays, one after the other, read by number.

    Parameters
    ----------
    lengths : sequence of int
        How many rows each part has.
    open_part : callable
        Gives the part of a number, when one of its rows is wanted; only the last one is kept.
    shape : tuple of int
        Of a row.
    dtype
        Of all parts.

    Examples
    --------
    >>> parts = [np.array([[0, 1]]), np.array([[2, 3], [4, 5]])]
    >>> Rows([1, 2], parts.__getitem__, (2,), int)[[2, 0]].tolist()
    [[4, 5], [0, 1]]
    """

    def __init__(
        self, lengths: Sequence[int], open_part: Callable[[int], NDArray[Any]], shape: tuple[int, ...], dtype: Any
    ) -> None:
        self._ends = np.cumsum([0, *lengths])
        self._open = lru_cache(maxsize=1)(open_part)
        self.shape = (int(self._ends[-1]), *shape)
        self.dtype = np.dtype(dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[Any] | Sequence[int] | int) -> NDArray[Any]:
        """Return a copy of some rows, in their order; a slice, numbers, or one number."""
        wanted = np.arange(len(self))[rows]
        numbers = np.atleast_1d(wanted)
        copied = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        part_of = np.searchsorted(self._ends, numbers, side="right") - 1
        for part in np.unique(part_of):
            inside = part_of == part
            copied[inside] = self._open(int(part))[numbers[inside] - self._ends[part]]
        return copied if wanted.ndim else copied[0]
