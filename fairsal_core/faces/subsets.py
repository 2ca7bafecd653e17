"""Choosing faces: a biased training subset, its balanced counterpart, and a test set with equal cells.

A *cell* is one target x confounder subgroup; there are four. Nothing here resamples: a cell that holds too few faces is
an error that says what would fit.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import VERSUS, FaceDataset, side_name

_Count = Annotated[int, Field(ge=0)]


class Cell(NamedTuple):
    """One subgroup: has the target attribute or not, has the confounder or not."""

    target: bool
    confounder: bool


CELLS = (Cell(True, True), Cell(True, False), Cell(False, True), Cell(False, False))


class CellCounts(BaseModel):
    """How many faces of each target x confounder cell, also readable from the four numbers "0,3000,2000,1000".

    The default is the biased subset of De Coninck et al. (2024): with target Male, 3000 men without the confounder,
    2000 women with it and 1000 women without.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_with: _Count = Field(0, description="with the target attribute and the confounder")
    target_without: _Count = Field(3000, description="with the target attribute, without the confounder")
    other_with: _Count = Field(2000, description="without the target attribute, with the confounder")
    other_without: _Count = Field(1000, description="without the target attribute and the confounder")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        numbers = value.split(",")
        if len(numbers) != len(CELLS):
            raise ValueError("cell counts are four numbers: target with, target without, other with, other without")
        return dict(zip(cls.model_fields, numbers, strict=True))

    def __getitem__(self, cell: Cell) -> int:
        return int(getattr(self, f"{'target' if cell.target else 'other'}_{'with' if cell.confounder else 'without'}"))

    @property
    def total(self) -> int:
        return sum(self[cell] for cell in CELLS)

    @property
    def phi(self) -> float:
        """Correlation of target and confounder over the four cells, -1 to 1; 0 where one of them never varies."""
        a, b, c, d = (self[cell] for cell in CELLS)
        product = (a + b) * (c + d) * (a + c) * (b + d)
        return (a * d - b * c) / product**0.5 if product else 0.0

    def scaled(self, scale: float) -> "CellCounts":
        """Return these counts times `scale`, rounded down."""
        return CellCounts(**{name: int(getattr(self, name) * scale + 1e-9) for name in type(self).model_fields})

    @classmethod
    def equal(cls, per_cell: int) -> "CellCounts":
        """Return the same count for all four cells."""
        return cls(target_with=per_cell, target_without=per_cell, other_with=per_cell, other_without=per_cell)

    @classmethod
    def of(cls, faces: FaceDataset, target: str, confounder: str) -> "CellCounts":
        """Count the cells of a set of faces."""
        members = cell_members(faces, target, confounder)
        a, b, c, d = (len(members[cell]) for cell in CELLS)
        return cls(target_with=a, target_without=b, other_with=c, other_without=d)


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
    """Return what to call a cell, e.g. "men with Blond_Hair"."""
    return f"{group_name(target, cell.target)} {with_or_without(confounder, cell.confounder)}"


def with_or_without(confounder: str, has: bool) -> str:
    """Return what to call having the confounder or not.

    Examples
    --------
    >>> with_or_without("Blond_Hair", False), with_or_without("race=Black vs White", False)
    ('without Blond_Hair', 'with race=White')
    """
    if "=" in confounder and VERSUS in confounder:
        return f"with {side_name(confounder, has)}"
    return f"{'with' if has else 'without'} {confounder}"


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
    has_target, has_confounder = some.labels(target), some.labels(confounder)
    return {cell: known[(has_target == cell.target) & (has_confounder == cell.confounder)] for cell in CELLS}


def feasible_scale(wanted: CellCounts, available: CellCounts) -> float:
    """Return the largest factor, at most 1, by which `wanted` can be multiplied so that every cell has enough faces."""
    return min([1.0, *(available[cell] / wanted[cell] for cell in CELLS if wanted[cell])])


def biased_subset(
    faces: FaceDataset,
    target: str,
    confounder: str,
    counts: CellCounts | None = None,
    *,
    split: str = "train",
    seed: int = 0,
) -> FaceDataset:
    """Draw a subset in which the confounder goes with the target as `counts` says.

    Parameters
    ----------
    faces : FaceDataset
        The whole set.
    target, confounder : str
        Attribute names.
    counts : CellCounts, optional
        Faces per cell; by default the paper's 0 / 3000 / 2000 / 1000 (De Coninck et al. 2024, section 4).
    split : str
        The split to draw from.
    seed : int
        Same seed, same faces.

    Returns
    -------
    FaceDataset
        In random order.

    Raises
    ------
    FairsalError
        If a cell holds too few faces: lists wanted and available for each, and the largest scale that fits.
    """
    wanted = CellCounts() if counts is None else counts
    if not wanted.total:
        raise FairsalError("The subset is empty; give at least one cell a count above 0.")

    def draw(pool: FaceDataset) -> FaceDataset:
        members = cell_members(pool, target, confounder)
        available = CellCounts.of(pool, target, confounder)
        if any(wanted[cell] > available[cell] for cell in CELLS):
            raise _too_few(wanted, available, target, confounder, split)
        generator = np.random.default_rng(seed)
        chosen = [generator.choice(members[cell], size=wanted[cell], replace=False) for cell in CELLS]
        return pool.take(generator.permutation(np.concatenate(chosen)))

    return faces.in_split(split).drawn(draw)


def available_counts(pool: FaceDataset, target: str, confounder: str, wanted: CellCounts) -> CellCounts:
    """Count the cells of a split; where all faces of a cell are wanted, or more, only those that decode.

    Of a large set that is not packed, those are read then.
    """
    members = cell_members(pool, target, confounder)
    a, b, c, d = (
        len(pool.take(members[cell]).readable) if len(members[cell]) <= wanted[cell] else len(members[cell])
        for cell in CELLS
    )
    return CellCounts(target_with=a, target_without=b, other_with=c, other_without=d)


def equal_cells(pool: FaceDataset, target: str, confounder: str, most: int | None = None) -> int:
    """Return how many faces each cell of a split can give, at most `most`: what the rarest has, less what does not decode."""
    rarest = min(map(len, cell_members(pool, target, confounder).values()))
    wanted = rarest if most is None else min(most, rarest)
    available = available_counts(pool, target, confounder, CellCounts.equal(wanted))
    return min(wanted, *(available[cell] for cell in CELLS))


def balanced_counts(
    faces: FaceDataset, target: str, confounder: str, total: int, *, split: str = "train"
) -> CellCounts:
    """Return equal cells that add up to `total`, or as many as the rarest cell allows."""
    pool = faces.in_split(split)
    available = CellCounts.of(pool, target, confounder)
    if min(available[cell] for cell in CELLS) == 0:
        raise _too_few(CellCounts.equal(max(1, total // 4)), available, target, confounder, split)
    return CellCounts.equal(equal_cells(pool, target, confounder, total // 4))


def balanced_test(
    faces: FaceDataset, target: str, confounder: str, per_cell: int | None = None, *, split: str = "test", seed: int = 0
) -> FaceDataset:
    """Draw a test set with equally many faces in each cell.

    Parameters
    ----------
    faces, target, confounder, seed
        As in `biased_subset`.
    per_cell : int, optional
        Faces per cell; by default as many as the rarest cell has.
    split : str
        A held-out split.

    Raises
    ------
    FairsalError
        If a cell holds too few faces, or none.
    """
    pool = faces.in_split(split)
    available = CellCounts.of(pool, target, confounder)
    rarest = min(available[cell] for cell in CELLS)
    if rarest == 0:
        raise _too_few(CellCounts.equal(per_cell or 1), available, target, confounder, split)
    counts = CellCounts.equal(equal_cells(pool, target, confounder) if per_cell is None else per_cell)
    return biased_subset(faces, target, confounder, counts, split=split, seed=seed)


def cell_table(wanted: CellCounts, available: CellCounts, target: str, confounder: str) -> pd.DataFrame:
    """Return wanted and available counts, one row a cell, for showing."""
    rows = {cell_name(target, confounder, cell): (wanted[cell], available[cell]) for cell in CELLS}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["wanted", "available"]).rename_axis("cell")


def _too_few(wanted: CellCounts, available: CellCounts, target: str, confounder: str, split: str) -> FairsalError:
    table = cell_table(wanted, available, target, confounder)
    listed = "; ".join(f"{cell} {row.wanted} wanted, {row.available} available" for cell, row in table.iterrows())
    scale = np.floor(feasible_scale(wanted, available) * 1000) / 1000
    fits = f"the largest scale that fits is {scale:g}" if scale else "no scale fits"
    return FairsalError(f"Too few faces in the {split} split: {listed}; {fits}.")
