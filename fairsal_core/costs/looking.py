"""How long it takes to look at the faces before anything is done with them."""

import tempfile
import time
from pathlib import Path

from fairsal_core.experiments import audit_faces_read
from fairsal_core.faces import FaceDataset
from fairsal_core.progress import silent


def seconds_to_look(faces: FaceDataset, data: str, target: str, confounder: str) -> float:
    """Return how long the data audit of a few faces takes: most of it is for a fixed number of them; nothing is kept."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        audit_faces_read(faces, data, target, confounder, Path(folder) / "audit.json", silent)
        return time.perf_counter() - begun
