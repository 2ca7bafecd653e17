"""Several folders as one set: `sets.txt` names them, a line each, and what one's columns are holds for all.

    set/
      sets.txt            part-*
      part-0000/          any of the other layouts, each with its own table and pictures
      part-0001/

Ten million faces are twenty such folders; everything that is done with a set is done with these, shards over their borders too.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from pandas.api.types import union_categoricals

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated
from fairsal_core.faces.mapping import Mapping, propose
from fairsal_core.faces.written import check_place
from fairsal_core.files import open_regular
from fairsal_core.home import leads_out

SETS = "sets.txt"
_MOST_BYTES = 1_000_000
_MOST_NOTES = 3
ReaderOf = Callable[[Path], Callable[[Path], Annotated] | None]


def is_several(root: Path) -> bool:
    """Return whether a folder has a list of the folders that are one set."""
    return (root / SETS).is_file()


def read_several(root: Path, reader_of: ReaderOf) -> Annotated:
    """Return the rows of all folders, one below the other; a picture is called by its folder and its name there.

    Parameters
    ----------
    root : Path
        The folder with the list.
    reader_of : callable
        Folder -> what reads it; None where it is in no layout that has columns.

    Raises
    ------
    FairsalError
        If a folder is not there, is in no layout that has columns, or has other columns than the first.
    """
    parts: list[Annotated] = []
    for folder in folders_of(root):
        part = _read(root, folder, reader_of)
        if parts:
            _check_alike(parts[0], part)
        parts.append(part)
    cells = _joined(root, parts)
    orders = {name: order for part in reversed(parts) for name, order in part.orders.items()}
    return Annotated(root, root, cells, _mapping_of(cells, parts), _notes(parts), orders)


def folders_of(root: Path) -> list[Path]:
    """Return the folders that the list names, in its order, those of a pattern in that of their names."""
    check_place(root / SETS, root)
    try:
        with open_regular(root / SETS) as stream:
            lines = stream.read(_MOST_BYTES).decode("utf-8", errors="replace").splitlines()
    except OSError as error:
        raise FairsalError(f"{root / SETS} cannot be read ({error.strerror or error}).") from error
    found: dict[Path, None] = {}
    for number, line in enumerate((line.strip() for line in lines), start=1):
        if not line or line.startswith("#"):
            continue
        folders = _matching(root, line)
        if not folders:
            raise FairsalError(f"{root / SETS}, line {number}: there is no folder '{line[:60]}' in {root}.")
        if out := next((path for path in folders if leads_out(path, root)), None):
            raise FairsalError(f"{root / SETS}, line {number}: {out} is a link out of the data folder.")
        found |= dict.fromkeys(folders)
    if not found:
        raise FairsalError(f"{root / SETS} names no folder: write one a line, or a pattern such as part-*.")
    if inner := next((path for path in found if found.keys() & set(path.parents)), None):
        raise FairsalError(f"{root / SETS} names {inner}, which lies in another of its folders.")
    return list(found)


def _matching(root: Path, pattern: str) -> list[Path]:
    """Return the folders below the root that a line means; none for what is no pattern or leads above it."""
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        return []
    try:
        return sorted(path for path in root.glob(pattern) if path.is_dir() and not path.name.startswith("."))
    except (ValueError, IndexError, NotImplementedError):  # what pathlib says of "**x", "." and "C:x"
        return []


def _read(root: Path, folder: Path, reader_of: ReaderOf) -> Annotated:
    read = None if is_several(folder) else reader_of(folder)
    if read is None:
        raise FairsalError(f"{folder}, which {root / SETS} names, is in none of the layouts that have columns.")
    part = read(folder)
    if leads_out(part.image_folder, root):
        raise FairsalError(
            f"The pictures of {folder} are inside its tables; several folders are one set if theirs are files."
        )
    return part


def _check_alike(first: Annotated, part: Annotated) -> None:
    for one, other in ((first, part), (part, first)):
        lacking = [str(column) for column in one.cells.columns if column not in other.cells.columns]
        if lacking:
            raise FairsalError(
                f"{other.root} has no column '{lacking[0]}', which {one.root} has: folders of one set have the same columns."
            )


def _joined(root: Path, parts: Sequence[Annotated]) -> pd.DataFrame:
    """Return the cells of all parts; a text that several have is kept once."""
    names = [_prefix(root, part) + part.cells.index.astype("str") for part in parts]
    index = names[0].append(names[1:]).rename("image")
    columns = {
        column: union_categoricals([part.cells[column].array for part in parts]) for column in parts[0].cells.columns
    }
    return pd.DataFrame(columns, index=index)


def _prefix(root: Path, part: Annotated) -> str:
    return f"{part.image_folder.resolve().relative_to(root.resolve()).as_posix()}/"


def _mapping_of(cells: pd.DataFrame, parts: Sequence[Annotated]) -> Mapping:
    """Return what the columns seem to be, looked at in all parts: one folder alone may have a single value of some."""
    first = parts[0].mapping
    names = {each.column: each.name for part in reversed(parts) for each in part.mapping.attributes}
    found = propose(cells, "several", names=names)
    known = {each.name for each in found.attributes}
    protected = dict.fromkeys(name for part in parts for name in part.mapping.protected if name in known)
    target = first.target if first.target in known else found.target
    return found.with_target(target, tuple(name for name in protected if name != target))


def _notes(parts: Sequence[Annotated]) -> tuple[str, ...]:
    told = [f"{part.root.name}: {note}" for part in parts for note in part.notes]
    more = len(told) - _MOST_NOTES
    return (*told[:_MOST_NOTES], *([f"{more:,} more such notes on the {len(parts):,} folders."] if more > 0 else []))
