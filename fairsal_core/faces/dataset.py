"""The one type every loader gives and everything else takes: faces with their annotations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.rows import Rows

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class FaceDataset:
    """Faces, their annotations and, once packed, their pixels.

    Attributes
    ----------
    name : str
        What to call the set, e.g. "celeba".
    root, image_folder : Path
        The folder it was loaded from, and the one with the image files.
    attributes : pandas.DataFrame
        One column per attribute, bool or (FairFace's age, gender and race) categorical; index: file name.
    split : pandas.Series
        "train", "val" or "test" per face; same index.
    identity : pandas.Series or None
        Person number per face, where known.
    parts_folder : Path or None
        Part masks (label PNGs, see `fairsal_core.faces.parts`), where known.
    packed : numpy array, Rows or None
        Memory-mapped uint8 (N, S, S, 3) of the whole set, in one file or several; None until `fairsal_core.faces.pack`.
    rows : numpy array or None
        Row of each face in `packed`.
    """

    name: str
    root: Path
    image_folder: Path
    attributes: pd.DataFrame
    split: pd.Series
    identity: pd.Series | None = None
    parts_folder: Path | None = None
    packed: NDArray[np.uint8] | Rows | None = None
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.attributes)

    @property
    def names(self) -> pd.Index:
        """File names, in order."""
        return self.attributes.index

    @property
    def images(self) -> NDArray[np.uint8]:
        """Pixels (N, S, S, 3) uint8: for the whole of one file its memory map itself, else a copy in memory."""
        if self.packed is None or self.rows is None:
            raise FairsalError(f"The images of '{self.name}' are not packed yet; call fairsal_core.faces.pack first.")
        whole = len(self.rows) == len(self.packed) and np.array_equal(self.rows, np.arange(len(self.packed)))
        if whole and not isinstance(self.packed, Rows):
            return self.packed
        return self.packed[self.rows]

    def labels(self, attribute: str) -> NDArray[np.bool_]:
        """Return a binary attribute's labels, (N,) bool; one that does not exist is an error that names the nearest."""
        column = self._column(attribute)
        if isinstance(column.dtype, pd.CategoricalDtype):
            names = ", ".join(map(str, column.cat.categories))
            raise FairsalError(f"'{attribute}' has classes ({names}); a binary attribute is needed here.")
        return column.to_numpy(dtype=bool)

    def classes(self, attribute: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the class of each face (N,) and the names of all classes: for a binary attribute "not X" and "X"."""
        column = self._column(attribute)
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = np.asarray(column.cat.codes, dtype=np.int64)
            return codes, tuple(map(str, column.cat.categories))
        return column.to_numpy(dtype=bool).astype(np.int64), (f"not {attribute}", attribute)

    @property
    def binary_attributes(self) -> list[str]:
        """Names of the attributes that are there or not."""
        return [str(name) for name in self.attributes.select_dtypes("bool").columns]

    def _column(self, attribute: str) -> pd.Series:
        if attribute not in self.attributes.columns:
            raise unknown_name("attribute", attribute, self.attributes.columns)
        return self.attributes[attribute]

    def take(self, positions: Sequence[int] | NDArray[np.int64]) -> "FaceDataset":
        """Return the faces at these positions, in this order; a boolean mask is refused, it would be read as 0 and 1."""
        chosen = np.asarray(positions)
        if chosen.dtype == bool:
            raise FairsalError("take() needs positions, not a boolean mask; use numpy.flatnonzero(mask).")
        chosen = chosen.astype(np.int64)
        return replace(
            self,
            attributes=self.attributes.iloc[chosen],
            split=self.split.iloc[chosen],
            identity=None if self.identity is None else self.identity.iloc[chosen],
            rows=None if self.rows is None else self.rows[chosen],
        )

    def in_split(self, split: str) -> "FaceDataset":
        """Return the faces of one split ("train", "val" or "test")."""
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        return self.take(np.flatnonzero((self.split == split).to_numpy()))

    def sample(self, count: int, seed: int = 0) -> "FaceDataset":
        """Return at most `count` faces drawn without replacement, in the set's order."""
        if count >= len(self):
            return self
        chosen = np.random.default_rng(seed).choice(len(self), size=count, replace=False)
        return self.take(np.sort(chosen))
