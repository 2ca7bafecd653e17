"""The columns of a table as yes-or-no attributes: those that are, and each class of those that have several."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_CLASSES = 20
"""A column of words with more different ones is of names or remarks, and compares nothing."""


class Columns(NamedTuple):
    """A table's attributes.

    Attributes
    ----------
    names : tuple of str
        "Smiling", or "race=Black" for a class against the rest.
    sources : tuple of str
        The column that each is made of.
    has, known : array, (N, A) bool
        Which faces have each, and of which that is known.
    left_out : dict
        Column -> why nothing is compared by it.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    has: NDArray[np.bool_]
    known: NDArray[np.bool_]
    left_out: dict[str, str]

    def labels(self) -> pd.DataFrame:
        """Return them as a table with one "boolean" column an attribute."""
        return pd.DataFrame(
            {name: pd.array(self.has[:, place], dtype="boolean").copy() for place, name in enumerate(self.names)}
        ).mask(~self.known)


def columns_of(attributes: pd.DataFrame) -> Columns:
    """Return the attributes in a table: bool ("boolean" where labels are missing), 0/1 or -1/1, and classes by name."""
    names, sources, has, known = [], [], [], []
    left_out: dict[str, str] = {}
    for source in attributes.columns:
        column = attributes[source]
        why = _why_not(column)
        if why:
            left_out[str(source)] = why
            continue
        there = column.notna().to_numpy(dtype=bool)
        for name, values in _classes(str(source), column):
            names.append(name)
            sources.append(str(source))
            has.append(values & there)
            known.append(there)
    empty = np.zeros((len(attributes), 0), dtype=bool)
    return Columns(
        tuple(names),
        tuple(sources),
        np.stack(has, axis=1) if has else empty,
        np.stack(known, axis=1) if known else empty,
        left_out,
    )


def _why_not(column: pd.Series) -> str:
    different = column.nunique()
    if different < 2:
        return "all faces have the same value" if different else "no face has a value"
    if pd.api.types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return ""
    if pd.api.types.is_numeric_dtype(column):
        return "" if set(column.dropna().unique()) <= {-1, 0, 1} and different == 2 else "it holds numbers, not classes"
    return "" if different <= MOST_CLASSES else f"it has {different:,} different values, more than {MOST_CLASSES}"


def _classes(source: str, column: pd.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Give the name and the faces of each attribute that a column is; of two classes the first says all."""
    if pd.api.types.is_numeric_dtype(column):
        yield source, (column > 0).fillna(False).to_numpy(dtype=bool)
        return
    present = sorted(column.dropna().unique(), key=str)
    for each in present if len(present) > 2 else present[:1]:
        yield f"{source}={each}", (column == each).fillna(False).to_numpy(dtype=bool)
