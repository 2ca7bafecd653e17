"""The layouts of folders with faces, by name. A new one is one file with its function and one line here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairsal_core.faces.annotated import Annotated, faces_of
from fairsal_core.faces.celeba import is_celeba, load_celeba, read_celeba
from fairsal_core.faces.celeba_hq import is_celeba_hq, load_celeba_hq, read_celeba_hq
from fairsal_core.faces.class_folders import is_class_folders, load_class_folders, read_class_folders
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.embedded import is_embedded, load_embedded, read_embedded
from fairsal_core.faces.fairface import is_fairface, load_fairface, read_fairface
from fairsal_core.faces.imagefolder import is_imagefolder, load_imagefolder, read_imagefolder
from fairsal_core.faces.lfwa import is_lfwa, load_lfwa, read_lfwa
from fairsal_core.faces.own_table import is_own_table, load_own_table, read_own_table
from fairsal_core.faces.several import is_several, read_several
from fairsal_core.faces.tar_shards import is_tar_shards, load_tar_shards, read_tar_shards
from fairsal_core.faces.utkface import is_utkface, load_utkface, read_utkface
from fairsal_core.registry import Registry


@dataclass(frozen=True)
class Format:
    """A layout of folders with faces and their labels.

    Attributes
    ----------
    name, description : str
        For tables.
    recognises : callable
        (folder) -> whether its files show this layout. Quick: it is asked about folders of any other.
    load : callable
        (folder) -> its faces, not packed yet; FairsalError if something is missing or does not read.
    read : callable, optional
        (folder) -> what its tables say, and what their columns seem to be: then that can be changed (`load_table`).
    anything : bool
        Whether it recognises what others do, and so is asked last.
    """

    name: str
    description: str
    recognises: Callable[[Path], bool]
    load: Callable[[Path], FaceDataset]
    read: Callable[[Path], Annotated] | None = None
    anything: bool = False


def _read_several(root: Path) -> Annotated:
    return read_several(root, _reader_of)


def _load_several(root: Path) -> FaceDataset:
    return faces_of(_read_several(root))


def _reader_of(root: Path) -> Callable[[Path], Annotated] | None:
    form = recognised(root)
    return form.read if form else None


FORMATS = Registry(
    "format",
    "fairsal.formats",
    Format,
    (
        Format("several", "Several folders as one set, named in sets.txt.", is_several, _load_several, _read_several),
        Format(
            "fairface",
            "FairFace's: a table for each split, with age, gender and race.",
            is_fairface,
            load_fairface,
            read_fairface,
        ),
        Format(
            "celeba", "CelebA's: the official text files, or Kaggle's CSV files.", is_celeba, load_celeba, read_celeba
        ),
        Format(
            "celeba_hq", "CelebAMask-HQ's and CelebA-HQ's, as published.", is_celeba_hq, load_celeba_hq, read_celeba_hq
        ),
        Format("lfwa", "LFWA's 40 attributes, or LFW's attribute scores.", is_lfwa, load_lfwa, read_lfwa),
        Format("utkface", "UTKFace's: age, gender and race in the names.", is_utkface, load_utkface, read_utkface),
        Format(
            "imagefolder",
            "Hugging Face's imagefolder: metadata.csv, .jsonl or .parquet.",
            is_imagefolder,
            load_imagefolder,
            read_imagefolder,
        ),
        Format(
            "embedded",
            "Parquet with the pictures inside, and labels beside them.",
            is_embedded,
            load_embedded,
            read_embedded,
        ),
        Format(
            "tar_shards",
            "Tar shards: pictures, each with its labels as JSON.",
            is_tar_shards,
            load_tar_shards,
            read_tar_shards,
        ),
        Format(
            "table",
            "A table of any columns beside pictures.",
            is_own_table,
            load_own_table,
            read_own_table,
            anything=True,
        ),
        Format(
            "class_folders",
            "Pictures sorted into folders by class.",
            is_class_folders,
            load_class_folders,
            read_class_folders,
            anything=True,
        ),
    ),
)


def recognised(root: Path) -> Format | None:
    """Return the layout of a folder: the first that recognises it, those that recognise much last."""
    return next((one for one in sorted(FORMATS.values(), key=lambda one: one.anything) if one.recognises(root)), None)
