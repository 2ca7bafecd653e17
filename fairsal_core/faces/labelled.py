"""The rows of a table whose picture is there, and what is to be said of the others."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces import meaning
from fairsal_core.faces.pictures import Pictures
from fairsal_core.faces.written import UNNAMED, Written, read_table


@dataclass(frozen=True)
class Labelled:
    """Rows of a table and the picture of each.

    Attributes
    ----------
    table : Written
        The rows.
    picture : str
        The column that says which picture a row is about.
    files : list of str
        The picture of each row, in the image folder.
    notes : tuple of str
        One sentence each on rows without a picture, and pictures without a row.
    """

    table: Written
    picture: str
    files: list[str]
    notes: tuple[str, ...]

    @property
    def written(self) -> list[str]:
        """Which picture each row is about, as it is written."""
        return self.table.text(self.picture)

    @property
    def cells(self) -> pd.DataFrame:
        """The other columns, by picture; those without a name, which are indices, left out."""
        cells = self.table.cells.drop(columns=self.picture)
        cells = cells.drop(columns=[name for name in cells.columns if name in (UNNAMED, "Unnamed: 0")])
        if cells.columns.has_duplicates:
            twice = cells.columns[cells.columns.duplicated()][0]
            raise FairsalError(f"{self.table.path} names the attribute {twice} more than once.")
        if cells.empty:
            raise FairsalError(f"{self.table.path} lists no images, or no attributes.")
        return cells.set_axis(pd.Index(self.files, name="image", dtype="str"))


def labelled_pictures(path: Path, pictures: Pictures, folder: Path, picture: str | None = None) -> Labelled:
    """Return the rows of a table whose picture is there.

    Parameters
    ----------
    path : Path
        The table.
    pictures : Pictures
        Those there are.
    folder : Path
        Where, for the sentences.
    picture : str, optional
        The column that says which picture a row is about; by default the one that finds most.

    Raises
    ------
    FairsalError
        If no row's picture is there, a row names what lies outside of the folder, or two are about one picture.
    """
    head = read_table(path, limit=200)
    if len(head.cells.columns) < 2:
        raise _no_rows(path, head)
    column = picture_column(head, pictures) if picture is None else picture
    table = read_table(path, picture=column, keep=lambda cell: pictures.has(cell) or outside(cell))
    if not table.total:
        raise _no_rows(path, table)
    names = table.text(column)
    check_names(table, names, column)
    if not names:
        first = head.text(column)[0]
        check_names(head, head.text(column), column)
        raise FairsalError(
            f"None of the {table.total:,} images that {path} lists is in {folder}; the first, {first}: {first} is missing."
        )
    files = [str(pictures.find(name)) for name in names]
    twice = pd.Index(files).duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise FairsalError(f"{table.place(row)} lists {names[row]} more than once.")
    notes = []
    if table.promised is not None and table.promised != table.total:
        notes.append(
            f"{path.name}, line 1 promises {table.promised:,} images, but the file lists {table.total:,}; those were read."
        )
    if table.total > len(names):
        there = set(names)
        first = next((name for name in head.text(column) if name not in there), "")
        notes.append(absent_note(path.name, table.total - len(names), table.total, first))
    if len(pictures) > len(files):
        notes.append(unlabelled_note(path.name, len(pictures) - len(files), len(pictures)))
    return Labelled(table, column, files, tuple(notes))


def _no_rows(path: Path, table: Written) -> FairsalError:
    if path.suffix == ".csv" and not len(table.cells.columns):
        return FairsalError(f"{path} does not read as CSV: it is empty.")
    if table.promised is None and len(table.cells.columns) < 2:
        return FairsalError(
            f"{path}, line 1: expected the number of images, as in CelebA's {path.name}, or the names of the attributes."
        )
    return FairsalError(f"{path} lists no images, or no attributes.")


def picture_column(head: Written, pictures: Pictures) -> str:
    """Return the column that says which picture a row is about: the one that finds most, or the first."""
    columns = [str(column) for column in head.cells.columns]
    names = [name for name in columns if name.lower() in meaning.PICTURE_NAMES and name != UNNAMED]
    if names and _names_one_a_row(head, names[0], pictures):
        return names[0]
    hits = {column: sum(map(pictures.has, head.cells[column].cat.categories)) for column in columns}
    if not hits:
        return UNNAMED
    best = max(hits.values())
    if not best:
        return names[0] if names else next(iter(hits))
    # An index of 0, 1, 2 finds 000001.jpg as well: what is called a picture goes before, and then what holds more.
    return next(name for name in (*names, *hits) if hits[name] == best)


def _names_one_a_row(head: Written, column: str, pictures: Pictures) -> bool:
    """Return whether a column is surely the one: each of its cells is a picture's path. Then no other way need be looked for."""
    texts = head.cells[column].cat.categories
    return 0 < len(head.cells) == len(texts) and all(str(text) in pictures for text in texts)


def outside(cell: str) -> bool:
    """Return whether a cell names what may lie outside of the image folder, nothing, or nothing that can be read."""
    parts = cell.replace("\\", "/").split("/")
    return not cell or ".." in parts or (len(parts) > 1 and not parts[0]) or not cell.isprintable()


def check_names(table: Written, names: list[str], column: str = UNNAMED) -> None:
    """Raise FairsalError if a row is about no picture in the image folder."""
    for row, name in enumerate(names):
        if not name:
            raise FairsalError(f"{table.place(row)}: a line has no {column or 'file name'}, so it is about no picture.")
        if outside(name):
            shown = name.encode("unicode_escape").decode() if not name.isprintable() else name
            raise FairsalError(f"{table.place(row)} names '{shown[:60]}', which is not a file in the image folder.")


def absent_note(place: str, absent: int, total: int, first: str = "") -> str:
    """Return the one sentence on rows without a picture."""
    example = f" (such as {first})" if first else ""
    return f"{absent:,} of {total:,} rows of {place} have no picture here{example}: left out."


def unlabelled_note(place: str, pictures: int, total: int) -> str:
    """Return the one sentence on pictures without a row."""
    return f"{pictures:,} of {total:,} pictures have no row in {place}: left out."


def joined(parts: list[Labelled]) -> pd.DataFrame:
    """Return the cells of several tables of the same columns, one below the other."""
    if len(parts) == 1:
        return parts[0].cells
    cells = pd.concat([part.cells.astype(object) for part in parts]).astype("category")
    if cells.index.has_duplicates:
        twice = cells.index[cells.index.duplicated()][0]
        names = " and ".join(part.table.path.name for part in parts)
        raise FairsalError(f"{twice} is in {names}: each picture may be in one.")
    return cells
