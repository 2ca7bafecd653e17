"""Pictures sorted into folders by class, with or without a folder for each split: `train/smiling/1.jpg`, `not_smiling/2.jpg`."""

import re
from pathlib import Path

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.mapping import Attribute, Mapping
from fairsal_core.faces.meaning import MOST_CLASSES, NO, YES, split_words
from fairsal_core.faces.pictures import list_pictures

CLASS, SPLIT = "class", "split (by folder)"
_NO = re.compile(r"(not?|non|without|no)[_\- ]?", re.IGNORECASE)


def _sorted(root: Path) -> dict[str, tuple[str, str]]:
    """Return split ("" for none) and class of each picture, empty if the folders are no classes."""
    found: dict[str, tuple[str, str]] = {}
    for file in list_pictures(root, depth=2):
        *folders, _ = file.split("/")
        split = (split_words("split", folders[:1]) or {}).get(folders[0], "") if folders else ""
        rest = folders[1:] if split else folders
        if len(rest) != 1:
            return {}
        found[file] = (split, rest[0])
    classes = {each for _, each in found.values()}
    splits = {split for split, _ in found.values()}
    return (
        found
        if 2 <= len(classes) <= MOST_CLASSES
        and len(classes) * 2 <= len(found)
        and not ("" in splits and len(splits) > 1)
        else {}
    )


def is_class_folders(root: Path) -> bool:
    """Return whether all pictures lie in folders that are classes, and no file beside them says more."""
    if not root.is_dir() or any(
        path.suffix.lower() in (".csv", ".tsv", ".txt", ".parquet", ".jsonl") for path in root.iterdir()
    ):
        return False
    return bool(_sorted(root))


def load_class_folders(root: Path | str) -> FaceDataset:
    """Read classes from the folders' names; "x" beside "not_x" is a binary attribute."""
    return faces_of(read_class_folders(Path(root).expanduser()))


def read_class_folders(root: Path) -> Annotated:
    """Return what the folders' names say."""
    found = _sorted(root)
    if not found:
        raise FairsalError(f"The pictures in '{root}' are not sorted into folders by class.")
    cells = pd.DataFrame.from_dict(found, orient="index", columns=[SPLIT, CLASS], dtype=object).astype("category")
    cells.index = pd.Index(list(found), name="image", dtype="str")
    classes = sorted({each for _, each in found.values()})
    mapping = Mapping(
        format="class_folders", attributes=(_attribute(classes),), ignored={SPLIT: "there are no folders of splits"}
    )
    if all(split for split, _ in found.values()):
        mapping = mapping.model_copy(update={"split": SPLIT, "splits": {name: name for name in SPLITS}, "ignored": {}})
    return Annotated(root, root, cells, mapping.model_copy(update={"target": mapping.attributes[0].name}))


def _attribute(classes: list[str]) -> Attribute:
    if len(classes) == 2:
        for yes, no in (classes, classes[::-1]):
            if _NO.sub("", no, count=1).lower() == yes.lower() != no.lower():
                return Attribute(column=CLASS, name=yes, kind="binary", values={yes: YES, no: NO})
    return Attribute(column=CLASS, name=CLASS, kind="classes", values={each: each for each in classes})
