"""CelebA from a folder, as it is found in the wild: the official text files or Kaggle's CSV files, in the dialects people have."""

from pathlib import Path

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces import meaning
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.labelled import Labelled, check_names, labelled_pictures
from fairsal_core.faces.mapping import Attribute, Mapping
from fairsal_core.faces.pictures import Pictures, list_pictures
from fairsal_core.faces.written import UNNAMED, check_place, numbered_lines, read_table

_ATTRIBUTES = "list_attr_celeba"
_PARTITION = "list_eval_partition"
_IDENTITY = "identity_CelebA"
_SUFFIXES = (".txt", ".csv")
_TABLE_FOLDERS = ("", "Anno", "Eval")
_IMAGE_FOLDERS = ("img_align_celeba", "img_align_celeba_png", "Img/img_align_celeba", "Img/img_align_celeba_png")
_SPLIT_FOLDERS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_MAX_DIGITS = 9
_SIGNS = (("-1", "1"), ("0", "1"), ("false", "true"))
IDENTITY, SPLIT, IMAGE = "identity", "partition", "image_id"


def is_celeba(root: Path) -> bool:
    """Return whether a folder has CelebA's attribute file, in either form, itself or in `Anno/`."""
    return find_table(root, _ATTRIBUTES) is not None


def looks_like_celeba(root: Path) -> bool:
    """Return whether a folder has something of CelebA's, though not its attribute file."""
    return find_table(root, _PARTITION) is not None or any((root / name).is_dir() for name in _IMAGE_FOLDERS)


def load_celeba(root: Path | str) -> FaceDataset:
    """Read CelebA's annotation files; the images are read later, by `fairsal_core.faces.pack`.

    Parameters
    ----------
    root : path
        A folder with `img_align_celeba/` (also nested once, as Kaggle's archive unpacks) and either
        `list_attr_celeba.txt` and `list_eval_partition.txt` or the `.csv` pair. Missing landmarks or identities are fine; where
        there is no partition, one is drawn. As the official download unpacks (`Anno/`, `Eval/`, `Img/`) it reads too.

    Returns
    -------
    FaceDataset
        The rows of the attribute file whose picture is there, in its order.

    Raises
    ------
    FairsalError
        If a file is missing or does not read as CelebA's, naming the file and, where there is one, the line.
    """
    return faces_of(read_celeba(Path(root).expanduser()))


def read_celeba(root: Path) -> Annotated:
    """Return CelebA's rows as they stand in its files."""
    if not root.is_dir():
        raise FairsalError(f"There is no folder '{root}'.")
    path = find_table(root, _ATTRIBUTES)
    if path is None:
        raise FairsalError(f"'{root}' is no CelebA folder: {_ATTRIBUTES}.txt (or {_ATTRIBUTES}.csv) is missing.")
    folder = _find_images(root)
    pictures = Pictures(list_pictures(folder))
    if not len(pictures):
        _refuse_archives(root, folder)
    labelled = labelled_pictures(path, pictures, folder)
    cells, mapping = signed_attributes(labelled, "celeba")
    cells, mapping, more = _with_split(root, cells, labelled, mapping)
    identity = find_table(root, _IDENTITY)
    if identity is not None:
        stems = [_stem(name) for name in labelled.written]
        who = _two_columns(identity, set(stems)).reindex(stems).fillna("")
        cells[IDENTITY] = pd.Categorical(who.tolist())
        mapping = mapping.model_copy(update={"identity": IDENTITY})
    parts = root / "parts"
    notes = (*labelled.notes, *more)
    return Annotated(root, folder, cells, mapping, notes, parts_folder=parts if parts.is_dir() else None)


def find_table(root: Path, stem: str) -> Path | None:
    """Return the file of a table, in a folder or where the official download has it."""
    for folder in _TABLE_FOLDERS:
        for suffix in _SUFFIXES:
            path = root / folder / f"{stem}{suffix}"
            if path.is_file():
                return path
    return None


def _find_images(root: Path) -> Path:
    for name in _IMAGE_FOLDERS:
        folder = root / name
        if folder.is_dir():
            nested = folder / folder.name
            found = nested if nested.is_dir() else folder
            check_place(found, root)
            return found
    if any((root / name).is_dir() for name in _SPLIT_FOLDERS) or list_pictures(root, depth=0):
        return root
    _refuse_archives(root, root / _IMAGE_FOLDERS[0])
    raise FairsalError(f"'{root}' is no CelebA folder: img_align_celeba/ with the images is missing.")


def _refuse_archives(root: Path, folder: Path) -> None:
    archives = sorted(path.name for path in (*root.glob("*.zip"), *root.glob("*/*.zip")))
    if archives:
        raise FairsalError(
            f"'{root}' has {archives[0]} and no {folder.name}/: the pictures are not unpacked yet; "
            f"`fairsal data unpack {root}` does it."
        )


def signed_attributes(labelled: Labelled, format: str) -> tuple[pd.DataFrame, Mapping]:
    """Return the cells of a table whose columns all say yes or no, by picture, and what they mean."""
    cells, table = labelled.cells, labelled.table
    no, yes = _signs_of(cells)
    attributes = []
    for column in map(str, cells.columns):
        texts = [str(text) for text in cells[column].cat.remove_unused_categories().cat.categories]
        values = {text: {no: meaning.NO, yes: meaning.YES}.get(text.strip().lower()) for text in texts}
        wrong = [text for text, value in values.items() if value is None and not meaning.is_missing(text)]
        if wrong:
            row = int(np.flatnonzero((cells[column] == wrong[0]).to_numpy())[0])
            raise _wrong_label(table.place(row), column, labelled.written[row], wrong[0], (no, yes))
        values |= {
            text: value for text, value in ((no, meaning.NO), (yes, meaning.YES)) if value not in values.values()
        }
        attributes.append(Attribute(column=column, name=column, kind="binary", values=values))
    names = [each.name for each in attributes]
    varying = {name for name in names if cells[name].nunique() > 1}
    target = next((name for name in ("Male", *names) if name in names), None)
    mapping = Mapping(
        format=format,
        picture=labelled.picture,
        attributes=tuple(attributes),
        target=target,
        protected=tuple(name for name in names if meaning.names_protected(name) and name != target and name in varying),
    )
    return cells, mapping


def _signs_of(cells: pd.DataFrame) -> tuple[str, str]:
    """Return how a table writes no and yes: as most of its columns do."""
    texts = [{str(text).strip().lower() for text in cells[column].cat.categories} for column in cells.columns]
    return max(_SIGNS, key=lambda signs: sum(len(each & set(signs)) for each in texts))


def _wrong_label(place: str, column: str, name: str, text: str, signs: tuple[str, str]) -> FairsalError:
    as_here = "" if signs == _SIGNS[0] else f"; this file has {signs[0]} and {signs[1]}"
    return FairsalError(
        f"{place}: '{column}' of {name} is {text[:60]}, but attributes are -1 or 1, or 0 and 1 or True and False "
        f"throughout{as_here}."
    )


def _with_split(
    root: Path, cells: pd.DataFrame, labelled: Labelled, mapping: Mapping
) -> tuple[pd.DataFrame, Mapping, tuple[str, ...]]:
    """Add the split: that of the partition file, else that of the folders, else none, and one is drawn."""
    split = read_partition(root, labelled.written)
    notes: tuple[str, ...] = ()
    if split is None:
        folders = [_SPLIT_FOLDERS.get(file.split("/")[0]) for file in labelled.files]
        split = [each for each in folders if each is not None] if all(folders) else None
        notes = (f"There is no {_PARTITION}.txt: the folders train, val and test are the split.",) if split else ()
    if split is None:
        return cells, mapping, notes
    cells[SPLIT] = pd.Categorical(split)
    return cells, mapping.model_copy(update={"split": SPLIT, "splits": {name: name for name in SPLITS}}), notes


def read_partition(root: Path, names: list[str]) -> list[str] | None:
    """Return the split of each picture, or None where there is no partition file."""
    path = find_table(root, _PARTITION)
    if path is None:
        return None
    stems = set(map(_stem, names))
    numbers = _two_columns(path, stems)
    wanted = pd.Index([_stem(name) for name in names])
    missing = np.flatnonzero(~wanted.isin(numbers.index))
    if len(missing):
        raise FairsalError(
            f"{path} has no line for {names[missing[0]]} ({len(missing)} of {len(names)} images missing): add them, or "
            "move the file away, and a split is drawn."
        )
    found = numbers.loc[wanted]
    splits = found.map({str(number): name for number, name in enumerate(SPLITS)} | {name: name for name in SPLITS})
    wrong = np.flatnonzero(splits.isna())
    if len(wrong):
        name = names[wrong[0]]
        raise FairsalError(
            f"{_line_of(path, name)}: {name} is in split {found.iloc[wrong[0]]}, "
            "but splits are 0 (train), 1 (val) and 2 (test)."
        )
    return [str(each) for each in splits]


def _stem(name: str) -> str:
    base = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, _ = base.rpartition(".")
    stem = stem if dot else base
    return stem.lstrip("0") or "0" if stem.isdecimal() else stem


def _two_columns(path: Path, stems: set[str]) -> pd.Series:
    """Return the second column of a table of two, by the names in the first without ending and zeros, for some of them."""
    table = read_table(path, keep=lambda cell: _stem(cell) in stems or not cell, expected="a file name and a number")
    columns = [name for name in map(str, table.cells.columns) if name != UNNAMED or len(table.cells.columns) == 2]
    if len(columns) < 2 or not table.total:
        raise FairsalError(f"{path}, line 1: expected a file name and a number.")
    names, values = table.text(columns[0]), table.text(columns[-1])
    if SPLIT in columns:
        values = table.text(SPLIT)
    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        if not (value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS) and value not in SPLITS:
            raise FairsalError(f"{table.place(row)}: expected a file name and a number, found '{name} {value}'."[:200])
    index = pd.Index([_stem(name) for name in names])
    if index.has_duplicates:
        row = int(np.flatnonzero(index.duplicated())[0])
        raise FairsalError(f"{table.place(row)} lists {names[row]} more than once.")
    check_names(table, names)
    return pd.Series(values, index=index, dtype=object)


def _line_of(path: Path, name: str) -> str:
    """Return "PATH, line N" for the line that begins with a name: sought only once something is wrong with it."""
    numbers = (number for number, line in numbered_lines(path) if line.strip().strip('"').startswith(name))
    found = next(numbers, None)
    return str(path) if found is None else f"{path}, line {found}"
