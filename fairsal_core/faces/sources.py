"""From the word in a config, `demo` or a folder, to faces that are ready to use."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fairsal_core.errors import FairsalError
from fairsal_core.faces.celeba import load_celeba
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.demo import DEMO, demo_folder, draw_demo_faces
from fairsal_core.faces.fairface import TABLES, load_fairface
from fairsal_core.faces.packing import pack
from fairsal_core.home import cache_folder
from fairsal_core.progress import Progress, silent


def load_folder(root: Path) -> FaceDataset:
    """Read the annotations of a folder in CelebA's or FairFace's layout, whichever its files show."""
    return load_fairface(root) if any((root / name).is_file() for name in TABLES.values()) else load_celeba(root)


def list_faces(source: str, progress: Progress = silent) -> FaceDataset:
    """Return faces that are not packed, with the rows they have, or would have, in the packed set; the rest as `load_faces`."""
    if not source.strip():
        raise FairsalError("No data chosen; give 'demo' or a folder in CelebA's or FairFace's layout.")
    faces = load_folder(draw_demo_faces(demo_folder(), progress=progress) if source == DEMO else Path(source))
    return replace(faces, rows=np.arange(len(faces)))


def load_faces(source: str, progress: Progress = silent) -> FaceDataset:
    """Return packed faces, drawing the demo set and packing whatever is not packed yet.

    Parameters
    ----------
    source : str
        "demo" for the drawn faces, else a folder in CelebA's or FairFace's layout.
    progress : Progress
        Called while drawing and packing; may raise to stop.
    """
    return pack(list_faces(source, progress), cache_folder(), progress=progress)
