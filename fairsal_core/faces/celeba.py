"""CelebA from a folder, in both layouts found in the wild: the official text files and the CSV files on Kaggle."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.files import open_regular
from fairsal_core.home import leads_out

_ATTRIBUTES = "list_attr_celeba"
_PARTITION = "list_eval_partition"
_IDENTITY = "identity_CelebA.txt"
_MAX_BYTES = 64 * 1024 * 1024  # more than twice CelebA's largest table
_MAX_LINE = 100_000
_MAX_LINES = 1_000_000
_MAX_DIGITS = 9
_SIGNS = {"-1": 0, "1": 1}


def load_celeba(root: Path | str) -> FaceDataset:
    """Read CelebA's annotation files; the images are read later, by `fairsal_core.faces.pack`.

    Parameters
    ----------
    root : path
        A folder with `img_align_celeba/` (also nested once, as Kaggle's archive unpacks) and either
        `list_attr_celeba.txt` and `list_eval_partition.txt` or the `.csv` pair. Missing landmarks or identities are fine.

    Returns
    -------
    FaceDataset
        All rows of the attribute file, in its order.

    Raises
    ------
    FairsalError
        If a file is missing or does not read as CelebA's, naming the file and, where there is one, the line.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FairsalError(f"There is no folder '{root}'.")
    attributes = _read_attributes(_find_table(root, _ATTRIBUTES))
    split = _read_split(_find_table(root, _PARTITION), attributes.index)
    return FaceDataset(
        name=root.resolve().name,
        root=root,
        image_folder=_find_images(root),
        attributes=attributes,
        split=split,
        identity=_read_identity(root / _IDENTITY, attributes.index),
        parts_folder=root / "parts" if (root / "parts").is_dir() else None,
    )


def _find_table(root: Path, stem: str) -> Path:
    for suffix in (".txt", ".csv"):
        path = root / f"{stem}{suffix}"
        if path.is_file():
            return path
    raise FairsalError(f"'{root}' is no CelebA folder: {stem}.txt (or {stem}.csv) is missing.")


def _find_images(root: Path) -> Path:
    folder = root / "img_align_celeba"
    if not folder.is_dir():
        raise FairsalError(f"'{root}' is no CelebA folder: img_align_celeba/ with the images is missing.")
    nested = folder / "img_align_celeba"
    found = nested if nested.is_dir() else folder
    _check_place(found, root)
    return found


def _check_place(path: Path, root: Path) -> None:
    if leads_out(path, root):
        real = os.path.realpath(path)
        raise FairsalError(f"{path} is a link out of the data folder, to {real}; name that in FAIRSAL_DATA_ROOTS too.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines of a table with their numbers, without holding them all."""
    with _opened(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace") as text:
        for number, line in enumerate(iter(lambda: text.readline(_MAX_LINE + 1), ""), start=1):
            if len(line) > _MAX_LINE:
                raise FairsalError(
                    f"{path}, line {number}: longer than {_MAX_LINE:,} characters, so no table of CelebA."
                )
            if number > _MAX_LINES:
                raise FairsalError(f"{path} has more than {_MAX_LINES:,} lines, so it is no table of CelebA.")
            yield number, line


def _opened(path: Path) -> BinaryIO:
    _check_place(path, path.parent)
    try:
        stream = open_regular(path)
    except OSError as error:
        raise FairsalError(f"{path} cannot be read ({error.strerror or error}).") from error
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if size > _MAX_BYTES:
        stream.close()
        raise FairsalError(f"{path} has {size / 2**20:.0f} MB; the most is {_MAX_BYTES // 2**20} MB.")
    return stream


def _line_of(path: Path, name: str, occurrence: int = 1) -> str:
    """Return "PATH, line N" for the line that begins with a name: sought only once something is wrong with it."""
    numbers = [number for number, line in _lines(path) if re.split(r"[,\s]", line.strip())[0].strip('"') == name]
    return f"{path}, line {numbers[occurrence - 1]}" if len(numbers) >= occurrence else str(path)


def _read_attributes(path: Path) -> pd.DataFrame:
    table = _read_attribute_csv(path) if path.suffix == ".csv" else _read_attribute_text(path)
    _check_names(path, table.index)
    if table.empty:
        raise FairsalError(f"{path} lists no images, or no attributes.")
    if table.columns.has_duplicates:
        raise FairsalError(f"{path} names the attribute {table.columns[table.columns.duplicated()][0]} more than once.")
    return table


def _read_attribute_csv(path: Path) -> pd.DataFrame:
    table = _read_csv(path)
    for column in table.columns:
        wrong = table.index[~table[column].isin([-1, 1])]
        if len(wrong):
            value = table[column].loc[[wrong[0]]].iloc[0]
            raise _wrong_label(_line_of(path, wrong[0]), column, wrong[0], value)
    return table == 1


def _wrong_label(place: str, column: str, name: str, value: object) -> FairsalError:
    return FairsalError(f"{place}: '{column}' of {name} is {str(value)[:60]}, but attributes are -1 or 1.")


def _read_attribute_text(path: Path) -> pd.DataFrame:
    lines = _lines(path)
    _, first = next(lines, (1, ""))
    _, second = next(lines, (2, ""))
    if not _is_number(first.strip()):
        raise FairsalError(f"{path}, line 1: expected the number of images, as in CelebA's {_ATTRIBUTES}.txt.")
    columns, promised = second.split(), int(first)
    names: list[str] = []
    labels = bytearray()
    for number, line in lines:
        name, *fields = line.split() or [""]
        if not name:
            continue
        if len(fields) != len(columns):
            raise FairsalError(
                f"{path}, line {number}: expected a file name and {len(columns)} labels, found {len(fields) + 1} fields."
            )
        try:
            labels.extend([_SIGNS[field] for field in fields])
        except KeyError:
            wrong = next(index for index, field in enumerate(fields) if field not in _SIGNS)
            raise _wrong_label(f"{path}, line {number}", columns[wrong], name, fields[wrong]) from None
        names.append(name)
        if len(names) > promised:
            raise FairsalError(f"{path}, line 1 promises {promised} images, but line {number} is one more.")
    if len(names) < promised:
        raise FairsalError(f"{path}, line 1 promises {promised} images, but the file lists {len(names)}.")
    values = np.frombuffer(labels, dtype=bool).reshape(len(names), len(columns))
    return pd.DataFrame(values, index=pd.Index(names, name="image", dtype="str"), columns=columns)


def _is_number(text: str) -> bool:
    return len(text) <= _MAX_DIGITS and text.isdecimal()


def _read_csv(path: Path) -> pd.DataFrame:
    next(_lines(path), None)  # a first line without end would become columns without number
    try:
        with _opened(path) as stream:
            table = pd.read_csv(
                stream, encoding="utf-8-sig", skipinitialspace=True, dtype={"image_id": str}, low_memory=False
            )
    except (ValueError, UnicodeDecodeError, OverflowError) as error:
        raise FairsalError(f"{path} does not read as CSV: {_one_line(error)}.") from error
    if "image_id" not in table.columns:
        raise FairsalError(f"{path}, line 1: the column image_id is missing.")
    if table["image_id"].isna().any():
        raise FairsalError(f"{_line_of(path, '')}: a line has no image_id.")
    return table.set_index("image_id").rename_axis("image")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".")


def _read_split(path: Path, names: pd.Index) -> pd.Series:
    numbers = _read_partition_csv(path) if path.suffix == ".csv" else _read_two_columns(path)
    _check_names(path, numbers.index)
    missing = names.difference(numbers.index)
    if len(missing):
        raise FairsalError(f"{path} has no line for {missing[0]} ({len(missing)} of {len(names)} images missing).")
    numbers = numbers.loc[names]
    wrong = names[~numbers.isin(range(len(SPLITS)))]
    if len(wrong):
        raise FairsalError(
            f"{_line_of(path, wrong[0])}: {wrong[0]} is in split {numbers[wrong[0]]}, "
            "but splits are 0 (train), 1 (val) and 2 (test)."
        )
    return numbers.map(dict(enumerate(SPLITS))).astype(pd.CategoricalDtype(list(SPLITS))).rename("split")


def _read_partition_csv(path: Path) -> pd.Series:
    table = _read_csv(path)
    if "partition" not in table.columns:
        raise FairsalError(f"{path}, line 1: the column partition is missing.")
    return table["partition"]


def _read_identity(path: Path, names: pd.Index) -> pd.Series | None:
    if not path.is_file():
        return None
    identity = _read_two_columns(path)
    _check_names(path, identity.index)
    return identity.rename("identity").reindex(names).astype("Int64")


def _read_two_columns(path: Path) -> pd.Series:
    names, numbers = [], []
    for number, line in _lines(path):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not _is_number(fields[1]):
            raise FairsalError(
                f"{path}, line {number}: expected a file name and a number, found '{line.strip()[:60]}'."
            )
        names.append(fields[0])
        numbers.append(int(fields[1]))
    return pd.Series(numbers, index=pd.Index(names, name="image", dtype="str"), dtype="int64")


def _check_names(path: Path, names: pd.Index) -> None:
    outside = [name for name in names if "/" in name or "\\" in name or not name.isprintable()]
    if outside:
        shown = outside[0].encode("unicode_escape").decode() if not outside[0].isprintable() else outside[0]
        raise FairsalError(
            f"{_line_of(path, outside[0])} names '{shown[:60]}', which is not a file in the image folder."
        )
    if names.has_duplicates:
        twice = names[names.duplicated()][0]
        raise FairsalError(f"{_line_of(path, twice, 2)} lists {twice} more than once.")
