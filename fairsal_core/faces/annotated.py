"""A folder with faces as it was found, and the faces that a mapping of its columns makes of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces import meaning
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.mapping import Attribute, Mapping
from fairsal_core.faces.meaning import NO, YES
from fairsal_core.faces.splitting import drawn_split

_SHOWN = 3


@dataclass(frozen=True)
class Annotated:
    """A folder's pictures and what its tables say of each, not understood yet.

    Attributes
    ----------
    root, image_folder : Path
        The folder, and the one that the pictures' names are in.
    cells : pandas.DataFrame
        One row a picture, index: its name. Each column a categorical of texts.
    mapping : Mapping
        What the columns seem to be.
    notes : tuple of str
        What was found on the way, one sentence each.
    orders : dict
        Attribute -> the order that its classes have; others are in the order of their names.
    parts_folder : Path, optional
        Part masks.
    """

    root: Path
    image_folder: Path
    cells: pd.DataFrame
    mapping: Mapping
    notes: tuple[str, ...] = ()
    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parts_folder: Path | None = None


def faces_of(found: Annotated, mapping: Mapping | None = None) -> FaceDataset:
    """Return the faces that a mapping makes of what was found; by default the mapping that was proposed.

    Raises
    ------
    FairsalError
        If the mapping names a column that is not there, or gives no meaning to what a column holds.
    """
    chosen = mapping or found.mapping
    cells = found.cells
    attributes = pd.DataFrame(
        {each.name: _labels(cells, each, found.orders.get(each.name)) for each in chosen.attributes}, index=cells.index
    )
    if attributes.empty:
        raise FairsalError(
            f"'{found.root}': no column says yes, no or a class of each face, so there is nothing to audit."
        )
    identity = _identity(cells, chosen.identity)
    split, said = _split(cells, chosen, attributes, identity)
    return FaceDataset(
        name=found.root.resolve().name,
        root=found.root,
        image_folder=found.image_folder,
        attributes=attributes,
        split=split,
        identity=identity,
        parts_folder=found.parts_folder,
        notes=(*found.notes, *said, *_missing(attributes)),
    )


def _column(cells: pd.DataFrame, column: str) -> pd.Series:
    if column not in cells:
        raise unknown_name("column", column, map(str, cells.columns))
    return cells[column]


def _meanings(texts: Iterable[str], attribute: Attribute) -> list[str | None]:
    if attribute.kind == "ages":
        return [meaning.age_band(text) for text in texts]
    meanings: list[str | None] = []
    for text in texts:
        if text not in attribute.values and not meaning.is_missing(text):
            raise FairsalError(
                f"The column '{attribute.column}' holds '{text[:60]}', which its mapping gives no meaning: add it to the values of "
                f"'{attribute.name}', or make it null for missing."
            )
        meanings.append(attribute.values.get(text))
    return meanings


def _labels(cells: pd.DataFrame, attribute: Attribute, order: tuple[str, ...] | None) -> pd.Series:
    column = _column(cells, attribute.column).cat.remove_unused_categories()
    codes = column.cat.codes.to_numpy()
    meanings = np.array([*_meanings(map(str, column.cat.categories), attribute), None], dtype=object)
    if attribute.kind == "binary":
        yes, known = meanings == YES, (meanings == YES) | (meanings == NO)
        if known[codes].all():
            return pd.Series(yes[codes], index=cells.index)
        return pd.Series(pd.arrays.BooleanArray(yes[codes], ~known[codes]), index=cells.index)
    said = {value for value in meanings if value is not None}
    known_order = meaning.AGES if attribute.kind == "ages" else order or ()
    others = sorted(said - set(known_order))
    names = list(known_order) if not others else [name for name in known_order if name in said] + others
    number = {name: place for place, name in enumerate(names)}
    numbers = np.array([-1 if value is None else number[value] for value in meanings])
    return pd.Series(pd.Categorical.from_codes(numbers[codes], categories=pd.Index(names)), index=cells.index)


def _identity(cells: pd.DataFrame, column: str | None) -> pd.Series | None:
    if column is None:
        return None
    codes, texts = pd.factorize(_column(cells, column).astype("category"))  # who comes first is 0
    known = [str(text) for text in texts if not meaning.is_missing(str(text))]
    numbered = all(text.isdecimal() and len(text) < 19 for text in known)
    number = {text: int(text) if numbered else place for place, text in enumerate(known)}
    numbers = np.array([*(number.get(str(text), -1) for text in texts), -1], dtype=np.int64)[codes]
    values = pd.arrays.IntegerArray(numbers, numbers < 0)
    return pd.Series(values, index=cells.index, name="identity")


def _split(
    cells: pd.DataFrame, mapping: Mapping, attributes: pd.DataFrame, identity: pd.Series | None
) -> tuple[pd.Series, tuple[str, ...]]:
    if mapping.split is None:
        by = tuple(name for name in dict.fromkeys([mapping.target, *mapping.protected[:1]]) if name in attributes)
        split, said = drawn_split(attributes, identity, tuple(map(str, by)))
        return split, (said,)
    column = pd.Series(_column(cells, mapping.split).astype("category"))
    places = {name: place for place, name in enumerate(SPLITS)}
    of_text = [places.get(mapping.splits.get(str(text), ""), -1) for text in column.cat.categories]
    numbers = np.array([*of_text, -1])[column.cat.codes.to_numpy()]
    if (numbers < 0).any():
        row = int(np.flatnonzero(numbers < 0)[0])
        raise FairsalError(
            f"The column '{mapping.split}' says '{str(column.iloc[row])[:60]}' of {cells.index[row]}, which is none of "
            f"{', '.join(SPLITS)} ({int((numbers < 0).sum())} of {len(cells)} rows): give every row one, or map no column as "
            "the split and one is drawn."
        )
    named = pd.Categorical.from_codes(numbers, dtype=pd.CategoricalDtype(list(SPLITS)))
    return pd.Series(named, index=cells.index, name="split"), ()


def _missing(attributes: pd.DataFrame) -> tuple[str, ...]:
    counts = attributes.isna().sum()
    lacking = [f"{name} {count:,}" for name, count in counts.items() if count]
    if not lacking:
        return ()
    more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return (
        f"Labels are missing ({', '.join(lacking[:_SHOWN])}{more}): such faces are left out wherever that attribute counts.",
    )
