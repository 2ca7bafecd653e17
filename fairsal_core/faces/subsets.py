"""Choosing faces: a biased training subset, its balanced counterpart, and a test set with equal cells.

Nothing here resamples: a cell that holds too few faces is an error that says what would fit.
"""

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from fairsal_core.errors import FairsalError
from fairsal_core.faces.cells import (
    CELLS,
    Cell,
    Counts,
    cell_members,
    count_cells,
    counts_kept,
    counts_table,
    kept_counts,
)
from fairsal_core.faces.dataset import FaceDataset

_Count = Annotated[int, Field(ge=0)]


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
        return self.by_cell[cell]

    @property
    def by_cell(self) -> Counts:
        """The count of each cell."""
        return counts_kept(self.model_dump())

    @property
    def total(self) -> int:
        return sum(self.by_cell.values())

    @property
    def phi(self) -> float:
        """Correlation of target and confounder over the four cells, -1 to 1; 0 where one of them never varies."""
        a, b, c, d = self.by_cell.values()
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
        _check_binary(faces, confounder)
        return cls(**kept_counts(count_cells(faces, target, confounder)))


def feasible_scale(wanted: CellCounts, available: CellCounts) -> float:
    """Return the largest factor, at most 1, by which `wanted` can be multiplied so that every cell has enough faces."""
    return _feasible(wanted.by_cell, available.by_cell)


def _feasible(wanted: Counts, available: Counts) -> float:
    return min([1.0, *(available[cell] / count for cell, count in wanted.items() if count)])


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

    _check_binary(faces, confounder)
    return _drawn(faces, target, confounder, wanted.by_cell, split, seed)


def _check_binary(faces: FaceDataset, confounder: str) -> None:
    """Raise FairsalError for an attribute of several values: it names one that is meant."""
    faces.take([]).labels(confounder)


def _drawn(faces: FaceDataset, target: str, confounder: str, wanted: Counts, split: str, seed: int) -> FaceDataset:
    def draw(pool: FaceDataset) -> FaceDataset:
        members = cell_members(pool, target, confounder)
        available = {cell: len(members[cell]) for cell in wanted}
        if any(count > available[cell] for cell, count in wanted.items()):
            raise _too_few(wanted, available, target, confounder, split)
        generator = np.random.default_rng(seed)
        chosen = [generator.choice(members[cell], size=count, replace=False) for cell, count in wanted.items()]
        return pool.take(generator.permutation(np.concatenate(chosen)))

    return faces.in_split(split).drawn(draw)


def available_counts(pool: FaceDataset, target: str, confounder: str, wanted: CellCounts) -> CellCounts:
    """Count the cells of a split; where all faces of a cell are wanted, or more, only those that decode.

    Of a large set that is not packed, those are read then.
    """
    return CellCounts(**kept_counts(_available(pool, target, confounder, wanted.by_cell)))


def _available(pool: FaceDataset, target: str, confounder: str, wanted: Counts) -> dict[Cell, int]:
    members = cell_members(pool, target, confounder)
    return {
        cell: len(pool.take(members[cell]).readable) if len(members[cell]) <= count else len(members[cell])
        for cell, count in wanted.items()
    }


def equal_cells(pool: FaceDataset, target: str, confounder: str, most: int | None = None) -> int:
    """Return how many faces each cell of a split can give, at most `most`: what the rarest has, less what does not decode."""
    counts = count_cells(pool, target, confounder)
    rarest = min(counts.values())
    wanted = rarest if most is None else min(most, rarest)
    available = _available(pool, target, confounder, dict.fromkeys(counts, wanted))
    return min(wanted, *available.values())


def balanced_counts(
    faces: FaceDataset, target: str, confounder: str, total: int, *, split: str = "train"
) -> CellCounts:
    """Return equal cells that add up to `total`, or as many as the rarest cell allows."""
    pool = faces.in_split(split)
    per_cell = max(1, total // len(CELLS))
    _check_there(pool, target, confounder, per_cell, split)
    return CellCounts.equal(equal_cells(pool, target, confounder, total // len(CELLS)))


def balanced_test(
    faces: FaceDataset, target: str, confounder: str, per_cell: int | None = None, *, split: str = "test", seed: int = 0
) -> FaceDataset:
    """Draw a test set with equally many faces in each cell.

    Parameters
    ----------
    faces, target, seed
        As in `biased_subset`.
    confounder : str
        An attribute that is there or not, or one of several values.
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
    available = _check_there(pool, target, confounder, per_cell or 1, split)
    count = equal_cells(pool, target, confounder) if per_cell is None else per_cell
    return _drawn(faces, target, confounder, dict.fromkeys(available, count), split, seed)


def _check_there(pool: FaceDataset, target: str, confounder: str, wanted: int, split: str) -> Counts:
    """Return the faces of each cell of a split; FairsalError where one has none."""
    available = count_cells(pool, target, confounder)
    if not available or min(available.values()) == 0:
        raise _too_few(dict.fromkeys(available, wanted), available, target, confounder, split)
    return available


def _too_few(wanted: Counts, available: Counts, target: str, confounder: str, split: str) -> FairsalError:
    table = counts_table({"wanted": wanted, "available": available}, target, confounder)
    listed = "; ".join(f"{cell} {row.wanted} wanted, {row.available} available" for cell, row in table.iterrows())
    scale = np.floor(_feasible(wanted, available) * 1000) / 1000
    fits = f"the largest scale that fits is {scale:g}" if scale else "no scale fits"
    return FairsalError(f"Too few faces in the {split} split: {listed}; {fits}.")
