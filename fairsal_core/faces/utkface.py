"""UTKFace: labels in the files' names, `AGE_GENDER_RACE_DATE.jpg` (Zhang et al. 2017)."""

import os
from itertools import islice
from pathlib import Path

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.mapping import Attribute, Mapping
from fairsal_core.faces.pictures import SUFFIXES, list_pictures

GENDERS = {"0": "Male", "1": "Female"}
RACES = {"0": "White", "1": "Black", "2": "Asian", "3": "Indian", "4": "Others"}
_FOLDERS = ("", "UTKFace", "part1", "part2", "part3", "crop_part1")
_ENOUGH = 0.8
_LOOKED_AT = 200
_DATE_DIGITS = 8


def _labels(name: str) -> tuple[str, str, str] | None:
    """Return what a file's name says, empty where it leaves a label out; None if it is no such name.

    Examples
    --------
    >>> _labels("part1/26_1_2_20170116174525125.jpg.chip.jpg"), _labels("000001.jpg")
    (('26', '1', '2'), None)
    >>> _labels("61_3_20170109150557335.jpg.chip.jpg")
    ('61', '', '')
    """
    fields = name.rpartition("/")[2].split(".")[0].split("_")
    if len(fields) not in (3, 4) or not all(field.isascii() and field.isdecimal() for field in fields[:-1]):
        return None
    if len(fields[-1]) < _DATE_DIGITS or not fields[-1][:_DATE_DIGITS].isdecimal() or int(fields[0]) > 120:
        return None
    if len(fields) == 3:  # gender or race is left out, and the name does not tell which
        return fields[0], "", ""
    age, gender, race, _ = fields
    return age, gender if gender in GENDERS else "", race if race in RACES else ""


def is_utkface(root: Path) -> bool:
    """Return whether most pictures of a folder, or of the folders that the archives unpack to, are named as UTKFace's are."""
    for folder in (root / name for name in _FOLDERS):
        if not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            names = list(islice((one.name for one in entries if one.name.lower().endswith(SUFFIXES)), _LOOKED_AT))
        if names and sum(_labels(name) is not None for name in names) >= _ENOUGH * len(names):
            return True
    return False


def load_utkface(root: Path | str) -> FaceDataset:
    """Read the labels in UTKFace's file names: age in bands, gender and race; a split is drawn, as it publishes none."""
    return faces_of(read_utkface(Path(root).expanduser()))


def read_utkface(root: Path) -> Annotated:
    """Return what the files' names say."""
    files = list_pictures(root)
    named = {file: labels for file in files if (labels := _labels(file)) is not None}
    if not named:
        raise FairsalError(f"No picture in '{root}' is named as UTKFace's are, AGE_GENDER_RACE_DATE.jpg.")
    cells = pd.DataFrame.from_dict(named, orient="index", columns=["age", "gender", "race"], dtype=object).astype(
        "category"
    )
    cells.index = pd.Index(list(named), name="image", dtype="str")
    notes = []
    if len(named) < len(files):
        other = next(file for file in files if file not in named)
        notes.append(
            f"{len(files) - len(named):,} of {len(files):,} pictures are not named as UTKFace's ({other}): left out."
        )
    short = [file for file, labels in named.items() if "" in labels]
    if short:
        notes.append(f"{len(short):,} names lack a label ({short[0]}); what they leave out is taken for missing.")
    mapping = Mapping(
        format="utkface",
        attributes=(
            Attribute(column="age", name="age", kind="ages"),
            Attribute(column="gender", name="gender", kind="classes", values={**GENDERS, "": None}),
            Attribute(column="race", name="race", kind="classes", values={**RACES, "": None}),
        ),
        protected=("gender", "race"),
    )
    orders = {"gender": tuple(GENDERS.values()), "race": tuple(RACES.values())}
    return Annotated(root, root, cells, mapping, tuple(notes), orders)
