"""Cells: the two labels of the target in each group of a confounder, or of a protected attribute of several values.

A confounder is there or not, so that there are four cells. An attribute of several values, such as race, has two for each value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import VERSUS, FaceDataset, side_name

Group = bool | str
"""Having the confounder or not; of an attribute of several values, which of them."""
_BINARY: tuple[Group, ...] = (True, False)
_SIDES, _HAVING = {True: "target", False: "other"}, {True: "with", False: "without"}
_OF_VALUE = "="  # between side and value in a name, where a binary attribute's cells have "_"


class Cell(NamedTuple):
    """One subgroup: has the target attribute or not, has the confounder or not, or has which value."""

    target: bool
    confounder: Group


Counts = Mapping[Cell, int]
"""Faces of each cell, in the cells' order."""


def cells_of(groups: Iterable[Group]) -> tuple[Cell, ...]:
    """Return the cells of groups: those of the target, group by group, then the others'."""
    named = tuple(groups)
    return tuple(Cell(target, group) for target in (True, False) for group in named)


CELLS = cells_of(_BINARY)


def groups_of_column(column: pd.Series) -> tuple[NDArray[np.int64], tuple[Group, ...]]:
    """Return the group of each label (N,), -1 where it is missing, and the groups, for labels that are flags or categories.

    Examples
    --------
    >>> groups_of_column(pd.Series([True, False]))[0].tolist()
    [0, 1]
    >>> groups_of_column(pd.Series(["b", None, "a"], dtype="category"))
    (array([ 1, -1,  0]), ('a', 'b'))
    """
    if pd.api.types.is_bool_dtype(column):
        return np.array(1 - column.astype("Int64").fillna(2), dtype=np.int64), _BINARY
    kinds = column.astype("category").cat
    return np.asarray(kinds.codes, dtype=np.int64), tuple(map(str, kinds.categories))


def groups_of_faces(faces: FaceDataset, attribute: str) -> tuple[NDArray[np.int64], tuple[Group, ...]]:
    """Return the group of each face (N,), -1 without a label, and the groups: with and without, or an attribute's values.

    Raises
    ------
    FairsalError
        If there is no such attribute.
    """
    if has_values(faces, attribute):
        return groups_of_column(faces.attributes[attribute])
    codes, _ = faces.classes(attribute)
    return np.where(codes < 0, -1, 1 - codes), _BINARY


def has_values(faces: FaceDataset, attribute: str) -> bool:
    """Return whether this is an attribute of several values, and none that is there or not."""
    whole = attribute in faces.attributes.columns
    return whole and isinstance(faces.attributes[attribute].dtype, pd.CategoricalDtype)


def group_labels(faces: FaceDataset, attribute: str) -> NDArray[np.bool_] | pd.Categorical:
    """Return what group each face is of, as tables keep it: whether it has the confounder, (N,) bool, or its value.

    Raises
    ------
    FairsalError
        If there is no such attribute, or a face has no label.
    """
    flags = flags_of(faces, attribute)
    return pd.Categorical(faces.attributes[attribute]) if flags is None else flags


def flags_of(faces: FaceDataset, attribute: str) -> NDArray[np.bool_] | None:
    """Return whether each face has a confounder, (N,) bool; None for an attribute of several values.

    Raises
    ------
    FairsalError
        If there is no such attribute, or a face has no label.
    """
    return None if has_values(faces, attribute) else faces.labels(attribute)


def only_groups(faces: FaceDataset, attribute: str, kept: Sequence[Group]) -> FaceDataset:
    """Return the same faces with some of an attribute's values alone, in this order: a face of another has no label.

    A confounder that is there or not stays as it is.
    """
    if not has_values(faces, attribute):
        return faces
    column = faces.attributes[attribute].cat.set_categories(list(kept))
    return replace(faces, attributes=faces.attributes.assign(**{attribute: column}))


def cell_members(faces: FaceDataset, target: str, confounder: str) -> dict[Cell, NDArray[np.int64]]:
    """Return the positions of each cell's faces; those without a label of either attribute are in none."""
    if target == confounder:
        raise FairsalError(f"Target and confounder are both '{target}'; choose two different attributes.")
    if faces.column_of(target) == faces.column_of(confounder):
        raise FairsalError(
            f"'{target}' and '{confounder}' are both read from '{faces.column_of(target)}'; choose two different attributes."
        )
    known = np.flatnonzero(faces.labelled(target, confounder))
    some = faces if len(known) == len(faces) else faces.take(known)
    has_target, (of, groups) = some.labels(target), groups_of_faces(some, confounder)
    return {
        cell: known[(has_target == cell.target) & (of == groups.index(cell.confounder))] for cell in cells_of(groups)
    }


def count_cells(faces: FaceDataset, target: str, confounder: str) -> dict[Cell, int]:
    """Count the faces of each cell."""
    return {cell: len(members) for cell, members in cell_members(faces, target, confounder).items()}


def kept_counts(counts: Counts) -> dict[str, int]:
    """Return counts as files keep them, by cells' names.

    Examples
    --------
    >>> kept_counts(dict.fromkeys(CELLS, 2))
    {'target_with': 2, 'target_without': 2, 'other_with': 2, 'other_without': 2}
    >>> kept_counts({Cell(True, "Asian"): 3, Cell(False, "Asian"): 4})
    {'target=Asian': 3, 'other=Asian': 4}
    """
    return {_key(cell): count for cell, count in counts.items()}


def counts_kept(kept: Mapping[str, Any]) -> dict[Cell, int]:
    """Return counts of cells as files keep them, in the cells' order.

    Raises
    ------
    ValueError
        If these are no counts, or not of both labels of the target in each group.
    """
    found: dict[Cell, int] = {}
    for name, count in kept.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"of {str(name)[:40]} there are {str(count)[:20]}, which is no count")
        found[_cell(name)] = count
    groups = tuple(dict.fromkeys(cell.confounder for cell in found))
    if len(groups) < 2 or set(found) != set(cells_of(groups)) or len({*map(type, groups)}) > 1:
        raise ValueError("counts are of both labels of the target in each of several groups")
    return {cell: found[cell] for cell in cells_of(groups)}


def _key(cell: Cell) -> str:
    side, group = _SIDES[cell.target], cell.confounder
    return f"{side}{_OF_VALUE}{group}" if isinstance(group, str) else f"{side}_{_HAVING[group]}"


def _cell(name: str) -> Cell:
    known = {_key(cell): cell for cell in CELLS}
    if name in known:
        return known[name]
    side, is_value, value = name.partition(_OF_VALUE)
    if not is_value or side not in _SIDES.values():
        raise ValueError(f"'{name[:40]}' is no cell")
    return Cell(side == _SIDES[True], value)


def counts_table(columns: Mapping[str, Counts], target: str, confounder: str) -> pd.DataFrame:
    """Return counts, a row a cell and a column each, for showing; a cell that one does not know has 0 there."""
    cells = dict.fromkeys(cell for counts in columns.values() for cell in counts)
    names = [cell_name(target, confounder, cell) for cell in cells]
    return pd.DataFrame(
        {title: [counts.get(cell, 0) for cell in cells] for title, counts in columns.items()}, index=names
    ).rename_axis("cell")


def group_name(target: str, positive: bool) -> str:
    """Return what to call the faces with or without the target attribute.

    Examples
    --------
    >>> group_name("Male", False), group_name("Smiling", True), group_name("Smiling", False)
    ('women', 'Smiling', 'not Smiling')
    """
    if target == "Male":
        return "men" if positive else "women"
    return side_name(target, positive)


def cell_name(target: str, confounder: str, cell: Cell) -> str:
    """Return what to call a cell, e.g. "men with Blond_Hair" or "men with race=Asian"."""
    return f"{group_name(target, cell.target)} {with_or_without(confounder, cell.confounder)}"


def with_or_without(confounder: str, has: Group) -> str:
    """Return what to call having the confounder or not, or having one of its values.

    Examples
    --------
    >>> with_or_without("Blond_Hair", False), with_or_without("race=Black vs White", False), with_or_without("race", "Asian")
    ('without Blond_Hair', 'with race=White', 'with race=Asian')
    """
    if isinstance(has, str):
        return f"with {confounder}={has}"
    if "=" in confounder and VERSUS in confounder:
        return f"with {side_name(confounder, has)}"
    return f"{'with' if has else 'without'} {confounder}"
