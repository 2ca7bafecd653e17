"""CelebA from a folder, in both layouts found in the wild: the official text files and the CSV files on Kaggle."""

from pathlib import Path

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import SPLITS, FaceDataset

_ATTRIBUTES = "list_attr_celeba"
_PARTITION = "list_eval_partition"
_IDENTITY = "identity_CelebA.txt"


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
    return nested if nested.is_dir() else folder


def _read_attributes(path: Path) -> pd.DataFrame:
    table = _read_csv(path) if path.suffix == ".csv" else _read_attribute_text(path)
    _check_names(path, table.index)
    if table.empty:
        raise FairsalError(f"{path} lists no images, or no attributes.")
    if table.columns.has_duplicates:
        raise FairsalError(f"{path} names the attribute {table.columns[table.columns.duplicated()][0]} more than once.")
    for column in table.columns:
        wrong = table.index[~table[column].isin([-1, 1])]
        if len(wrong):
            value = table.at[wrong[0], column]
            raise FairsalError(f"{path}: '{column}' of {wrong[0]} is {value!s}, but attributes are -1 or 1.")
    return table == 1


def _read_attribute_text(path: Path) -> pd.DataFrame:
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise FairsalError(f"{path}, line 1: expected the number of images, as in CelebA's {_ATTRIBUTES}.txt.")
    columns = lines[1].split()
    names, values = [], []
    for number, line in enumerate(lines[2:], start=3):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != len(columns) + 1:
            raise FairsalError(
                f"{path}, line {number}: expected a file name and {len(columns)} labels, found {len(fields)} fields."
            )
        try:
            values.append([int(field) for field in fields[1:]])
        except ValueError:
            raise FairsalError(f"{path}, line {number}: a label is not a whole number (labels are -1 or 1).") from None
        names.append(fields[0])
    if len(names) != int(lines[0]):
        raise FairsalError(f"{path}, line 1 promises {lines[0].strip()} images, but the file lists {len(names)}.")
    return pd.DataFrame(values, index=pd.Index(names, name="image"), columns=columns, dtype="int64")


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, encoding="utf-8-sig", skipinitialspace=True, dtype={"image_id": str})
    except (ValueError, UnicodeDecodeError) as error:
        raise FairsalError(f"{path} does not read as CSV: {error}.") from error
    if "image_id" not in table.columns:
        raise FairsalError(f"{path}, line 1: the column image_id is missing.")
    if table["image_id"].isna().any():
        raise FairsalError(f"{path}: a line has no image_id.")
    return table.set_index("image_id").rename_axis("image")


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
            f"{path}: {wrong[0]} is in split {numbers[wrong[0]]}, but splits are 0 (train), 1 (val) and 2 (test)."
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
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not fields[1].isdigit():
            raise FairsalError(
                f"{path}, line {number}: expected a file name and a number, found '{line.strip()[:60]}'."
            )
        names.append(fields[0])
        numbers.append(int(fields[1]))
    return pd.Series(numbers, index=pd.Index(names, name="image"), dtype="int64")


def _check_names(path: Path, names: pd.Index) -> None:
    outside = [name for name in names if "/" in str(name) or "\\" in str(name)]
    if outside:
        raise FairsalError(f"{path} names '{outside[0]}', which is not a file in the image folder.")
    if names.has_duplicates:
        raise FairsalError(f"{path} lists {names[names.duplicated()][0]} more than once.")
