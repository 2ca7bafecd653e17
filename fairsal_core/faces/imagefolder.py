"""Hugging Face's `imagefolder`: `metadata.csv`, `.jsonl` or `.parquet` with a column `file_name`, one for all or one a split."""

from pathlib import Path

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.labelled import Labelled, joined, labelled_pictures
from fairsal_core.faces.mapping import propose
from fairsal_core.faces.meaning import split_words
from fairsal_core.faces.pictures import Pictures, list_pictures
from fairsal_core.faces.written import read_table

_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_PICTURE, SPLIT = "file_name", "split (by folder)"


def _tables(root: Path) -> dict[str, Path]:
    """Return the metadata files: folder ("" for the root) -> file."""
    own = next((root / name for name in _NAMES if (root / name).is_file()), None)
    if own is not None:
        return {"": own}
    if not root.is_dir():
        return {}
    folders = sorted(folder.name for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    folders += [f"data/{name}" for name in (_folders(root / "data") if "data" in folders else [])]
    folders.sort(key=lambda folder: SPLITS.index(_split_of(folder) or "test"))
    return {folder: root / folder / name for folder in folders for name in _NAMES if (root / folder / name).is_file()}


def _folders(root: Path) -> list[str]:
    return sorted(folder.name for folder in root.iterdir() if folder.is_dir())


def _split_of(folder: str) -> str | None:
    name = folder.rpartition("/")[2]
    return (split_words("split", [name]) or {}).get(name)


def is_imagefolder(root: Path) -> bool:
    """Return whether a folder, or those of its splits, have a metadata file."""
    tables = _tables(root)
    return "" in tables or (bool(tables) and all(_split_of(folder) for folder in tables))


def load_imagefolder(root: Path | str) -> FaceDataset:
    """Read the metadata files; a picture's name is relative to its metadata file."""
    return faces_of(read_imagefolder(Path(root).expanduser()))


def read_imagefolder(root: Path) -> Annotated:
    """Return the metadata's rows, and what their columns seem to be."""
    parts: list[tuple[str, Labelled]] = []
    notes: list[str] = []
    for folder, path in _tables(root).items():
        if _PICTURE not in read_table(path, limit=5).cells.columns:
            raise FairsalError(
                f"{path}, line 1: the column {_PICTURE} is missing, which says which picture a row is about."
            )
        pictures = Pictures(list_pictures(root / folder))
        part = labelled_pictures(path, pictures, root / folder, _PICTURE)
        parts.append((folder, part))
        notes += part.notes
    prefixed = [
        Labelled(part.table, part.picture, [f"{folder}/{file}" if folder else file for file in part.files], part.notes)
        for folder, part in parts
    ]
    cells = joined(prefixed)
    mapping = propose(cells, "imagefolder", _PICTURE)
    splits = [
        _split_of(folder or file.split("/")[0])
        for (folder, _), part in zip(parts, prefixed, strict=True)
        for file in part.files
    ]
    if mapping.split is None and all(splits):
        cells[SPLIT] = pd.Categorical(splits)
        mapping = mapping.model_copy(update={"split": SPLIT, "splits": {name: name for name in SPLITS}})
    return Annotated(root, root, cells, mapping, tuple(notes))
