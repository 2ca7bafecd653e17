"""LFWA: the 40 attributes on Labeled Faces in the Wild (Liu et al. 2015), and LFW's own attribute scores (Kumar et al. 2009)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.labelled import absent_note
from fairsal_core.faces.mapping import Attribute, Mapping
from fairsal_core.faces.meaning import NO, YES, names_protected
from fairsal_core.faces.pictures import Pictures, list_pictures
from fairsal_core.faces.written import MAX_BYTES, check_place, numbered_lines

LABELS, SCORES, INDICES = "lfw_att_40.mat", "lfw_attributes.txt", "indices_train_test.mat"
IDENTITY, SPLIT = "person", "split"
_FOLDERS = ("", "anno", "Anno")


def is_lfwa(root: Path) -> bool:
    """Return whether a folder has LFWA's attribute file, or LFW's."""
    return _table(root, LABELS) is not None or _table(root, SCORES) is not None


def load_lfwa(root: Path | str) -> FaceDataset:
    """Read LFWA's `lfw_att_40.mat`, or LFW's `lfw_attributes.txt`, whose scores above 0 are yes; who is shown is in the names."""
    return faces_of(read_lfwa(Path(root).expanduser()))


def _table(root: Path, name: str) -> Path | None:
    return next((root / folder / name for folder in _FOLDERS if (root / folder / name).is_file()), None)


def read_lfwa(root: Path) -> Annotated:
    """Return LFWA's rows as they stand in its file."""
    path = _table(root, LABELS) or root / SCORES
    named, columns, has, split = _from_mat(path, root) if path.name == LABELS else _from_scores(path)
    pictures = Pictures(list_pictures(root))
    files = [pictures.find(name) for name in named]
    there = np.array([file is not None for file in files])
    if not there.any():
        raise FairsalError(
            f"None of the {len(named):,} images that {path} lists is in {root}; the first is {named[0]}."
        )
    kept = pd.Index([file for file in files if file is not None], name="image", dtype="str")
    if kept.has_duplicates:
        raise FairsalError(f"{path} lists {kept[kept.duplicated()][0]} more than once.")
    cells = pd.DataFrame(np.where(has[there], "1", "0"), index=kept, columns=columns, dtype=object).astype("category")
    cells[IDENTITY] = pd.Categorical(
        [name.replace("\\", "/").split("/")[-2] for name, one in zip(named, there, strict=True) if one]
    )
    mapping = Mapping(
        format="lfwa",
        attributes=tuple(
            Attribute(column=name, name=name.replace(" ", "_"), kind="binary", values={"0": NO, "1": YES})
            for name in columns
        ),
        identity=IDENTITY,
        target=next((name.replace(" ", "_") for name in ("Smiling", *columns) if name in columns), None),
        protected=tuple(name.replace(" ", "_") for name in columns if names_protected(name)),
    )
    if split is not None:
        cells[SPLIT] = pd.Categorical([each for each, one in zip(split, there, strict=True) if one])
        mapping = mapping.model_copy(update={"split": SPLIT, "splits": {name: name for name in SPLITS}})
    absent = int((~there).sum())
    notes = (absent_note(path.name, absent, len(named), named[int(np.argmin(there))]),) if absent else ()
    return Annotated(root, root, cells, mapping, notes)


def _from_mat(path: Path, root: Path) -> tuple[list[str], list[str], NDArray[np.bool_], list[str] | None]:
    content = _matrices(path)
    try:
        named = [str(np.ravel(each)[0]) for each in np.ravel(content["name"])]
        columns = [str(np.ravel(each)[0]) for each in np.ravel(content["AttrName"])]
        labels = np.asarray(content["label"])
    except (KeyError, IndexError) as error:
        raise FairsalError(f"{path} has not what LFWA's has: label, name and AttrName.") from error
    if labels.shape != (len(named), len(columns)):
        raise FairsalError(f"{path} has {len(named)} names, {len(columns)} attributes and labels of {labels.shape}.")
    if not np.isin(labels, (-1, 0, 1)).all() or {-1, 0} <= set(np.unique(labels).tolist()):
        raise FairsalError(f"{path} has labels other than 0 and 1, or -1 and 1.")
    indices = _table(root, INDICES)
    return named, columns, labels > 0, None if indices is None else _split_of(indices, len(named))


def _split_of(path: Path, count: int) -> list[str]:
    content = _matrices(path)
    split = np.full(count, "", dtype=object)
    try:
        for name, key in (("train", "indices_img_train"), ("test", "indices_img_test")):
            split[np.ravel(content[key]).astype(int) - 1] = name  # MATLAB counts from 1
    except (KeyError, IndexError, ValueError) as error:
        raise FairsalError(f"{path} has not what LFWA's has: indices_img_train and indices_img_test.") from error
    if (split == "").any():
        raise FairsalError(
            f"{path} puts {int((split == '').sum())} pictures into no split: remove it, and a split is drawn."
        )
    return [str(each) for each in split]


def _matrices(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    check_place(path, path.parent)
    if path.stat().st_size > MAX_BYTES:
        raise FairsalError(f"{path} has {path.stat().st_size / 2**20:.0f} MB; the most is {MAX_BYTES // 2**20} MB.")
    try:
        return dict(loadmat(path))
    except Exception as error:  # a damaged file makes the reader raise anything
        raise FairsalError(f"{path} does not read as a MATLAB file ({' '.join(str(error).split())[:100]}).") from error


def _from_scores(path: Path) -> tuple[list[str], list[str], NDArray[np.bool_], None]:
    columns: list[str] = []
    named: list[str] = []
    rows: list[NDArray[np.bool_]] = []
    for number, line in numbered_lines(path):
        fields = (
            line.rstrip("\r\n").lstrip("# ").split("\t") if line.startswith("#") else line.rstrip("\r\n").split("\t")
        )
        fields = [field for field in fields if field]
        if line.startswith("#"):
            columns = fields[2:] if fields[:2] == ["person", "imagenum"] else columns
            continue
        if not fields:
            continue
        try:
            scores = np.array(fields[2:], dtype=float)
            person = fields[0].replace(" ", "_")
            named.append(f"{person}/{person}_{int(fields[1]):04d}.jpg")
        except (ValueError, IndexError) as error:
            raise FairsalError(f"{path}, line {number}: expected a person, a number and scores.") from error
        if len(scores) != len(columns) or not np.isfinite(scores).all():
            raise FairsalError(f"{path}, line {number}: expected a person, a number and {len(columns)} scores.")
        rows.append(scores > 0)
    if not rows:
        raise FairsalError(f"{path} lists no images.")
    return named, columns, np.stack(rows), None
