"""Pictures and a table of one's own: CSV, TSV, semicolons, Parquet or JSON lines, of any columns."""

from itertools import islice
from pathlib import Path

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.celeba import is_celeba
from fairsal_core.faces.celeba_hq import is_celeba_hq
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.fairface import is_fairface
from fairsal_core.faces.imagefolder import is_imagefolder
from fairsal_core.faces.labelled import Labelled, joined, labelled_pictures, picture_column
from fairsal_core.faces.lfwa import is_lfwa
from fairsal_core.faces.mapping import propose
from fairsal_core.faces.meaning import split_words
from fairsal_core.faces.pictures import Pictures, list_pictures
from fairsal_core.faces.written import parquet_schema, plain_columns, read_table

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt")
_FOLDERS = ("", "labels", "annotations", "Anno", "anno", "meta")
_MOST_TABLES = 20
_OTHERS = (is_fairface, is_celeba, is_celeba_hq, is_lfwa, is_imagefolder)
FILE_SPLIT = "split (by file)"
_NO_TABLES = ("readme", "license", "licence", "requirements", "list_", "identity_celeba")  # CelebA's without its labels


def is_own_table(root: Path) -> bool:
    """Return whether a folder, or its `labels/`, has a table whose rows could be about pictures, and no layout of its own."""
    if any(is_other(root) for is_other in _OTHERS):
        return False
    return any(_could_be_labels(path) for path in tables_in(root))


def tables_in(root: Path) -> list[Path]:
    """Return the files in a folder, and in one with labels in it, that could be tables."""
    found: list[Path] = []
    for folder in (root / name for name in _FOLDERS):
        if folder.is_dir():
            some = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file())
            found += islice(
                (path for path in some if not path.name.lower().startswith((".", *_NO_TABLES))), _MOST_TABLES
            )
    return list(dict.fromkeys(found))


def _could_be_labels(path: Path) -> bool:
    """Return whether a table has at least two columns; of Parquet files those that hold pictures are another format's."""
    if path.suffix.lower() == ".parquet":
        schema = parquet_schema(path)
        return len(plain_columns(schema)) == len(schema.names) > 1
    try:
        return len(read_table(path, limit=1).cells.columns) > 1
    except FairsalError:
        return path.suffix.lower() != ".txt"  # which loading will say


def load_own_table(root: Path | str) -> FaceDataset:
    """Read a table of any columns; which is what is looked at, and can be changed: see `propose`."""
    return faces_of(read_own_table(Path(root).expanduser()))


def read_own_table(root: Path) -> Annotated:
    """Return the table's rows, and what its columns seem to be."""
    pictures = Pictures(list_pictures(root))
    tables = [path for path in tables_in(root) if _could_be_labels(path)]
    if not len(pictures):
        raise FairsalError(
            f"'{root}' has {tables[0].name} but no pictures (.jpg, .png or .webp): put the folder with the pictures beside it."
        )
    fitting = [path for path in tables if _finds(path, pictures)]
    if not fitting:
        columns = ", ".join(map(str, list(read_table(tables[0], limit=5).cells.columns)[:8]))
        raise FairsalError(
            f"No column of {tables[0]} ({columns}) names a picture in {root} (such as {pictures.files[0]}): give it one with their "
            "file names."
        )
    parts = {path: labelled_pictures(path, pictures, root) for path in _alike(fitting, root)}
    cells = joined(list(parts.values()))
    first = next(iter(parts.values()))
    splits = {path: _split_of(path.stem) for path in parts}
    mapping = propose(cells, "table", first.picture)
    if mapping.split is None and all(splits.values()):
        cells[FILE_SPLIT] = pd.Categorical([splits[path] for path, part in parts.items() for _ in part.files])
        mapping = mapping.model_copy(update={"split": FILE_SPLIT, "splits": {name: name for name in SPLITS}})
    if not mapping.attributes:
        why = "; ".join(f"{column}: {reason}" for column, reason in list(mapping.ignored.items())[:4])
        raise FairsalError(f"No column of {first.table.path} says yes, no or a class of each face ({why}).")
    return Annotated(root, root, cells, mapping, _notes(parts, pictures))


def _notes(parts: dict[Path, Labelled], pictures: Pictures) -> tuple[str, ...]:
    if len(parts) == 1:
        return next(iter(parts.values())).notes
    absent = [note for part in parts.values() for note in part.notes if "rows of" in note]
    left = len(pictures) - sum(len(part.files) for part in parts.values())
    names = ", ".join(path.name for path in parts)
    return (*absent, *([f"{left:,} of {len(pictures):,} pictures have no row in {names}: left out."] if left else []))


def _finds(path: Path, pictures: Pictures) -> bool:
    """Return whether a column names pictures, in the first rows or, of a table of many more, anywhere."""
    head = read_table(path, limit=200)
    if not len(head.cells.columns):
        return False
    column = picture_column(head, pictures)
    if any(map(pictures.has, head.text(column))):
        return True
    return len(head.cells) == 200 and len(read_table(path, column, pictures.has).cells) > 0


def _alike(tables: list[Path], root: Path) -> list[Path]:
    """Return the table, or those that are one: of the same columns, a split each."""
    if len(tables) == 1:
        return tables
    columns = {tuple(map(str, read_table(path, limit=1).cells.columns)) for path in tables}
    splits = {path: _split_of(path.stem) for path in tables}
    if len(columns) == 1 and all(splits.values()):
        return sorted(tables, key=lambda path: SPLITS.index(str(splits[path])))
    names = ", ".join(path.name for path in tables[:4])
    raise FairsalError(
        f"'{root}' has several tables of its pictures ({names}): leave one there with all columns, or one of the "
        "same columns for each split (train.csv, val.csv, test.csv)."
    )


def _split_of(stem: str) -> str | None:
    """Return the split that a file's name tells: "labels_train" is of train."""
    words = stem.lower().replace("-", "_").replace(".", "_").split("_")
    found = {
        word: split
        for word in words
        if (split := (split_words("split", [word]) or {}).get(word)) and not word.isdecimal()
    }
    return next(iter(found.values())) if len(found) == 1 else None
