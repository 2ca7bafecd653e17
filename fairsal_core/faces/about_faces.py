"""Rows of a table that somebody brings about faces of a set, such as a classifier's predictions: which face each is about."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.labelled import picture_column
from fairsal_core.faces.pictures import Pictures
from fairsal_core.faces.written import UNNAMED, Written, read_table


@dataclass(frozen=True)
class RowsAboutFaces:
    """Rows of a table that are about faces of a set; a face may have several, or none.

    Attributes
    ----------
    table : Written
        The rows whose face is there.
    picture : str
        The column that says which face a row is about.
    faces : pandas.Index
        The face of each row, as the set calls it.
    unknown : tuple of str
        Faces that the table names and the set lacks, as they are written, each once.
    """

    table: Written
    picture: str
    faces: pd.Index
    unknown: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The other columns, in order."""
        return [str(name) for name in self.table.cells.columns if name not in (self.picture, UNNAMED, "Unnamed: 0")]


def rows_about_faces(path: Path, faces: FaceDataset, picture: str | None = None) -> RowsAboutFaces:
    """Return the rows of a table that are about faces of a set.

    Parameters
    ----------
    path : Path
        Text of any dialect, `.parquet` or `.jsonl`.
    faces : FaceDataset
        The set. A row may name a face by its path, its name alone, without or with another ending, or by its number.
    picture : str, optional
        The column with the names; by default the one that finds most faces.

    Raises
    ------
    FairsalError
        If it is no table, or none of its rows is about a face of the set.
    """
    pictures = Pictures(map(str, faces.names))
    table = read_table(path)
    if len(table.cells.columns) < 2:
        raise FairsalError(f"{path} has one column; a table of predictions has file names and a score or a decision.")
    if not len(table.cells):
        raise FairsalError(f"{path} has no row.")
    column = picture_column(table, pictures) if picture is None else picture
    if column not in table.cells.columns:
        raise FairsalError(f"{path} has no column '{column}' (it has {', '.join(map(str, table.cells.columns))}).")
    written = table.cells[column].cat
    found = [pictures.find(str(name)) for name in written.categories]
    codes = written.codes.to_numpy()
    known = np.array([each is not None for each in found])[codes]
    if not known.any():
        raise FairsalError(
            f"None of the {len(codes):,} rows of {path} is about a face of {faces.root}: its column '{column}' says "
            f"{written.categories[codes[0]]}, and the faces are called such as {faces.names[0]}."
        )
    named = pd.Index(np.array([each or "" for each in found], dtype=object)[codes[known]], name="face")
    unknown = dict.fromkeys(str(written.categories[code]) for code in codes[~known])
    kept = Written(path, table.cells[known].reset_index(drop=True), table.lines[known], table.total, table.promised)
    return RowsAboutFaces(kept, column, named, tuple(unknown))
