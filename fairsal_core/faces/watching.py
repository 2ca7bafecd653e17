"""Whether a set is still what it was when it was listed: a glance at what is beside the pictures, or a look at each of them."""

import os

import numpy as np

from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.packed_files import stamps_of
from fairsal_core.faces.pictures import SUFFIXES
from fairsal_core.faces.several import folders_of, is_several

Glance = frozenset[tuple[str, int, int]]


def glance(faces: FaceDataset) -> Glance:
    """Return names, sizes and times of change of what lies in the set's folder, but the faces themselves.

    That is its tables, which are small in number, and its folders, whose times tell of files that come, go or are put in the
    place of others. A picture that is written over in place changes none of it; see `have_changed`.
    """
    with os.scandir(faces.root) as entries:
        seen = {(entry.name, *_stamp(entry.stat())) for entry in entries if entry.name not in faces.names}
    seen |= {(str(faces.image_folder), *_stamp(faces.image_folder.stat()))}
    for folder in folders_of(faces.root) if is_several(faces.root) else ():
        with os.scandir(folder) as entries:
            others = [entry for entry in entries if not entry.name.lower().endswith(SUFFIXES)]
            seen |= {(entry.path, *_stamp(entry.stat())) for entry in others}
    return frozenset(seen)


def have_changed(faces: FaceDataset) -> bool:
    """Return whether any face's file has another size or time of change than when the set was listed."""
    return faces.stamps is not None and not np.array_equal(faces.stamps, stamps_of(faces))


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns
