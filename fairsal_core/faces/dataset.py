"""The one type every loader gives and everything else takes: faces with their annotations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.rows import Rows

SPLITS = ("train", "val", "test")
VERSUS = " vs "


def side_name(attribute: str, positive: bool) -> str:
    """Return what to call the faces that have a binary attribute, or those that have it not.

    Examples
    --------
    >>> side_name("Smiling", False), side_name("race=Black", True), side_name("race=Black", False)
    ('not Smiling', 'race=Black', 'not race=Black')
    >>> side_name("race=Black vs White", True), side_name("race=Black vs White", False)
    ('race=Black', 'race=White')
    """
    column, equals, named = attribute.partition("=")
    one, versus, other = named.partition(VERSUS)
    if equals and versus:
        return f"{column}={one if positive else other}"
    return attribute if positive else f"not {attribute}"


class Wanted(Protocol):
    """Pixels that are packed when they are wanted, as those of a large set are."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, S, S, 3)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        """Return the pixels of some rows; FairsalError if one does not decode."""

    def digests(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the SHA-256 (n, 32) of some rows' files."""

    def unreadable(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some rows do not decode."""


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
        One column per attribute, bool ("boolean" where labels are missing) or (FairFace's age, gender and race) categorical;
        index: file name.
    split : pandas.Series
        "train", "val" or "test" per face; same index.
    identity : pandas.Series or None
        Person number per face, where known.
    parts_folder : Path or None
        Part masks (label PNGs, see `fairsal_core.faces.parts`), where known.
    packed : numpy array, Rows, Wanted or None
        uint8 (N, S, S, 3) of the whole set: memory-mapped, or, of a large set, packed when it is wanted; None until
        `fairsal_core.faces.pack`.
    rows : numpy array or None
        Row of each face in `packed`.
    stamps : numpy array or None
        Size in bytes and time of change in ns of each face's file, (N, 2) int64, when the set was listed; -1 where it is missing.
    digests : numpy array or None
        SHA-256 of each face's file when it was packed, (N, 32) uint8; None where `packed` gives them.
    notes : tuple of str
        What whoever uses the set should know of how it was read, one sentence each.
    """

    name: str
    root: Path
    image_folder: Path
    attributes: pd.DataFrame
    split: pd.Series
    identity: pd.Series | None = None
    parts_folder: Path | None = None
    packed: NDArray[np.uint8] | Rows | Wanted | None = None
    rows: NDArray[np.int64] | None = None
    stamps: NDArray[np.int64] | None = None
    digests: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()

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
        if whole and isinstance(self.packed, np.ndarray):
            return self.packed
        return self.packed[self.rows]

    @property
    def listed(self) -> "FaceDataset":
        """The same faces without pixels, to plan with: nothing is packed of them, and all are taken to decode."""
        return replace(self, packed=None)

    @property
    def file_digests(self) -> NDArray[np.uint8] | None:
        """SHA-256 of each face's file as it was packed, (N, 32); None for faces that come from no files."""
        if self.digests is not None or self.rows is None or (wanted := self._wanted) is None:
            return self.digests
        return wanted.digests(self.rows)

    @property
    def _wanted(self) -> Wanted | None:
        return None if self.packed is None or isinstance(self.packed, np.ndarray | Rows) else self.packed

    @property
    def readable(self) -> "FaceDataset":
        """Those whose file decodes. Packing has left out the others, but of a large set, of which they are packed now."""
        if self.rows is None or (wanted := self._wanted) is None:
            return self
        unreadable = wanted.unreadable(self.rows)
        return self.take(np.flatnonzero(~unreadable)) if unreadable.any() else self

    def drawn(self, draw: Callable[["FaceDataset"], "FaceDataset"]) -> "FaceDataset":
        """Return what `draw` draws of these faces, once more without those that do not decode where it drew some of them.

        It depends on what is in the files alone, and not on which of them are packed.
        """
        pool = self
        while True:
            chosen = draw(pool)
            kept = chosen.readable
            if len(kept) == len(chosen):
                return chosen
            lost = chosen.names.difference(kept.names)
            pool = pool.take(np.flatnonzero(~pool.names.isin(lost)))

    def labels(self, attribute: str) -> NDArray[np.bool_]:
        """Return a binary attribute's labels, (N,) bool.

        Parameters
        ----------
        attribute : str
            A binary attribute, or one made of the classes of another: "race=Black" (a class against the rest) or
            "race=Black vs White" (two classes; the faces of all others have no label).

        Raises
        ------
        FairsalError
            If it does not exist (the nearest is named), has several classes, or a face has no label of it: see `with_label`.
        """
        labels = self._binary(attribute)
        lacking = int(labels.isna().sum())
        if lacking:
            raise FairsalError(
                f"{lacking:,} of {len(self):,} faces have no label '{attribute}'; leave them out, as with_label does."
            )
        return labels.to_numpy(dtype=bool)

    def labelled(self, *attributes: str) -> NDArray[np.bool_]:
        """Return which faces have a label of all these attributes, (N,) bool; binary ones, classes or made of classes."""
        known = np.ones(len(self), dtype=bool)
        for attribute in attributes:
            whole = attribute in self.attributes.columns
            known &= (self.attributes[attribute] if whole else self._binary(attribute)).notna().to_numpy()
        return known

    def with_label(self, *attributes: str) -> "FaceDataset":
        """Return the faces that have a label of all these attributes: the set itself where all have."""
        known = self.labelled(*attributes)
        return self if known.all() else self.take(np.flatnonzero(known))

    def classes(self, attribute: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the class of each face (N,), -1 where its label is missing, and the names of all classes.

        Those of a binary attribute are "not X" and "X", those of "race=Black vs White" "White" and "Black".
        """
        if attribute in self.attributes.columns:
            column = self.attributes[attribute]
            if isinstance(column.dtype, pd.CategoricalDtype):
                codes = np.asarray(column.cat.codes, dtype=np.int64)
                return codes, tuple(map(str, column.cat.categories))
        labels = self._binary(attribute)
        numbers = np.array(labels.astype("Int64").fillna(-1), dtype=np.int64)  # a copy that may be written to
        return numbers, (side_name(attribute, False), side_name(attribute, True))

    @property
    def binary_attributes(self) -> list[str]:
        """Names of the attributes that are there or not."""
        return [str(name) for name, column in self.attributes.items() if pd.api.types.is_bool_dtype(column.dtype)]

    @property
    def choices(self) -> list[str]:
        """What can be target or confounder: binary attributes that vary, and each class of the others."""
        found: list[str] = []
        for name, column in self.attributes.items():
            if not isinstance(column.dtype, pd.CategoricalDtype):
                if column.nunique() == 2:
                    found.append(str(name))
                continue
            present = [str(each) for each in column.cat.remove_unused_categories().cat.categories]
            found += [f"{name}={each}" for each in present] if len(present) > 1 else []
        return found

    @property
    def protectable(self) -> list[str]:
        """What can be a protected attribute: all `choices`, and before its classes an attribute of several as a whole."""
        return list(dict.fromkeys(each for name in self.choices for each in (self.column_of(name), name)))

    def column_of(self, attribute: str) -> str:
        """Return the column that an attribute is read from: its own, or that of the classes it is made of."""
        if attribute in self.attributes.columns:
            return attribute
        column, _ = self._classes_named(attribute)
        return column

    def _binary(self, attribute: str) -> pd.Series:
        """Return the labels of a binary attribute, missing where they are."""
        if attribute in self.attributes.columns:
            labels = self.attributes[attribute]
            if isinstance(labels.dtype, pd.CategoricalDtype):
                names = ", ".join(map(str, labels.cat.categories))
                example = f"'{attribute}={labels.cat.categories[0]}'" if len(labels.cat.categories) else "one of them"
                raise FairsalError(
                    f"'{attribute}' has classes ({names}); a binary attribute is needed here, such as {example}."
                )
            return labels
        column, (one, other) = self._classes_named(attribute)
        labels = self.attributes[column]
        missing = labels.isna() if other is None else ~labels.isin([one, other])
        has = (labels == one).astype("boolean")
        return has.mask(missing, pd.NA) if missing.any() else has.astype(bool)

    def _classes_named(self, attribute: str) -> tuple[str, tuple[str, str | None]]:
        """Return the column and the one or two classes that "race=Black" or "race=Black vs White" names."""
        for place in (place for place, letter in enumerate(attribute) if letter == "="):
            column, named = attribute[:place], attribute[place + 1 :]
            if column not in self.attributes.columns:
                continue
            dtype = self.attributes[column].dtype
            if not isinstance(dtype, pd.CategoricalDtype):
                raise FairsalError(f"'{column}' is binary: write '{column}', without a class.")
            known = [str(each) for each in dtype.categories]
            if named in known:
                return column, (named, None)
            first, between, second = named.partition(VERSUS)
            for each in (first, second) if between else (first,):
                if each not in known:
                    raise unknown_name(f"class of {column}", each, known)
            if first == second:
                raise FairsalError(f"'{attribute}' names the class '{first}' twice; two different ones are needed.")
            return column, (first, second)
        raise unknown_name("attribute", attribute, [*self.attributes.columns, *self.choices])

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
            stamps=None if self.stamps is None else self.stamps[chosen],
            digests=None if self.digests is None else self.digests[chosen],
        )

    def between(self, start: int, stop: int) -> "FaceDataset":
        """Return the faces from one position to another, at a cost that does not grow with the set, as that of `take` can."""

        def cut(column: Any) -> Any:
            return None if column is None else column[start:stop]

        part = replace(
            self,
            attributes=self.attributes.iloc[start:stop],
            split=self.split.iloc[start:stop],
            identity=None if self.identity is None else self.identity.iloc[start:stop],
            rows=cut(self.rows),
            stamps=cut(self.stamps),
            digests=cut(self.digests),
        )
        return part.take(np.arange(len(part)))  # a copy, which keeps nothing of the others

    def in_split(self, split: str) -> "FaceDataset":
        """Return the faces of one split ("train", "val" or "test")."""
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        return self.take(np.flatnonzero((self.split == split).to_numpy()))

    def sample(self, count: int, seed: int = 0) -> "FaceDataset":
        """Return at most `count` faces drawn without replacement, in the set's order; such as decode."""

        def draw(pool: FaceDataset) -> FaceDataset:
            if count >= len(pool):
                return pool
            chosen = np.random.default_rng(seed).choice(len(pool), size=count, replace=False)
            return pool.take(np.sort(chosen))

        return self.drawn(draw)
