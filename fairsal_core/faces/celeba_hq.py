"""CelebAMask-HQ and CelebA-HQ as published: `CelebAMask-HQ-attribute-anno.txt` and `CelebA-HQ-img/` (Lee et al. 2020)."""

from pathlib import Path

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.celeba import SPLIT, read_partition, signed_attributes
from fairsal_core.faces.dataset import SPLITS, FaceDataset
from fairsal_core.faces.labelled import labelled_pictures
from fairsal_core.faces.pictures import Pictures, list_pictures
from fairsal_core.faces.written import read_table

TABLE = "CelebAMask-HQ-attribute-anno.txt"
_IMAGES, _ORIGINALS = "CelebA-HQ-img", "CelebA-HQ-to-CelebA-mapping.txt"


def is_celeba_hq(root: Path) -> bool:
    """Return whether a folder has CelebAMask-HQ's attribute file."""
    return (root / TABLE).is_file()


def load_celeba_hq(root: Path | str) -> FaceDataset:
    """Read CelebAMask-HQ's attributes; split as CelebA is, where its partition lies beside, else a split is drawn."""
    return faces_of(read_celeba_hq(Path(root).expanduser()))


def read_celeba_hq(root: Path) -> Annotated:
    """Return CelebAMask-HQ's rows as they stand in its file."""
    folder = root / _IMAGES
    if not folder.is_dir():
        raise FairsalError(f"'{root}' is no CelebAMask-HQ folder: {_IMAGES}/ with the images is missing.")
    labelled = labelled_pictures(root / TABLE, Pictures(list_pictures(folder)), folder)
    cells, mapping = signed_attributes(labelled, "celeba_hq")
    originals = _originals(root / _ORIGINALS, labelled.files)
    splits = read_partition(root, originals) if originals else None
    if splits is not None:
        cells[SPLIT] = pd.Categorical(splits)
        mapping = mapping.model_copy(update={"split": SPLIT, "splits": {name: name for name in SPLITS}})
    return Annotated(root, folder, cells, mapping, labelled.notes)


def _originals(path: Path, files: list[str]) -> list[str] | None:
    """Return CelebA's name of each picture, or None where the list is not there or does not name all."""
    if not path.is_file():
        return None
    table = read_table(path, header=True)
    columns = list(map(str, table.cells.columns))
    if not {"idx", "orig_file"} <= set(columns):
        return None
    known = pd.Series(table.text("orig_file"), index=table.text("idx"))
    found = known.reindex([Path(name).stem for name in files])
    return None if found.isna().any() else list(np.asarray(found, dtype=str))
