"""Where a classifier looks, by part of the face: each face's own parts where its mask is known, else what lies there on average.

The means are of the drawn faces, whose masks are exact and whose frame is CelebA's: `python -m benchmarks.mean_parts` makes them.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.drawing import PARTS
from fairsal_core.faces import FaceDataset
from fairsal_core.files import read_array
from fairsal_core.metrics import mean_interval

FACE_PARTS: dict[str, tuple[str, ...]] = {
    "hair or hat": ("hair", "hat"),
    "brows": ("l_brow", "r_brow"),
    "eyes or glasses": ("eye_g", "l_eye", "r_eye"),
    "nose": ("nose",),
    "mouth": ("mouth", "u_lip", "l_lip"),
    "skin": ("skin",),
    "ears": ("l_ear", "r_ear"),
    "neck and clothes": ("neck", "cloth", "necktie"),
    "background": ("background",),
}
"""Part -> the classes of part masks that it is made of. What covers another part counts with it, as a hat with the hair."""
PART_SIDE = 32
LOOK_COLUMNS = ("part", "group", "value", "low", "high", "n")
_FILE = Path(__file__).parent / "bundled" / "mean_parts.npy"


def parts_in(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how much of each of 32 x 32 fields is of each of FACE_PARTS, (P, 32, 32), from a mask (H, W) of part classes.

    What is unknown, or of no class here, is of no part.
    """
    picture = np.stack([np.isin(labels, [PARTS[name] for name in names]) for names in FACE_PARTS.values()])
    shares = [
        np.asarray(
            Image.fromarray(part.astype(np.float32)).resize((PART_SIDE, PART_SIDE), Image.Resampling.BOX),
            dtype=np.float32,
        )
        for part in picture
    ]
    return np.stack(shares)


@cache
def mean_parts() -> NDArray[np.float32]:
    """Return how much of each field of the aligned frame is of each part on average, (P, 32, 32); 1 over all parts."""
    stored = read_array(_FILE).astype(np.float32)
    means: NDArray[np.float32] = stored / stored.sum(axis=0, keepdims=True)
    return means


def parts_of(faces: FaceDataset) -> NDArray[np.float32]:
    """Return the parts of each face, (N, P, 32, 32): its own where the set has its mask, else the mean."""
    found = np.broadcast_to(mean_parts(), (len(faces), *mean_parts().shape)).copy()
    if faces.parts_folder is None:
        return found
    for row, name in enumerate(faces.names):
        path = faces.parts_folder / f"{Path(str(name)).stem}.png"
        if path.is_file():
            with Image.open(path, formats=("PNG",)) as picture:
                found[row] = parts_in(np.asarray(picture))
    return found


def pooled(magnitudes: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Return maps (N, H, W) as sums over side x side fields, each map adding up to 1; one without relevance is NaN."""
    count, height, width = magnitudes.shape
    fields = np.abs(magnitudes, dtype=np.float64).reshape(count, side, height // side, side, width // side)
    sums = fields.sum(axis=(2, 4))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: NDArray[np.float64] = sums / sums.sum(axis=(1, 2), keepdims=True)
    return shares


def part_shares(magnitudes: NDArray[np.floating], parts: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return which share of each face's relevance lies on each part, (N, P).

    Parameters
    ----------
    magnitudes : array, (N, H, W)
        Unsigned relevance, or signed, of which the size counts; H and W multiples of 32.
    parts : array, (P, 32, 32) or (N, P, 32, 32)
        Of all faces, or of each, as from `mean_parts` and `parts_of`.

    Returns
    -------
    array, (N, P)
        In [0, 1]; a row adds up to 1 where every field is of some part. NaN for a face without relevance.
    """
    maps = pooled(magnitudes, PART_SIDE)
    equation = "nhw,phw->np" if parts.ndim == 3 else "nhw,nphw->np"
    shares: NDArray[np.float64] = np.einsum(equation, maps, parts.astype(np.float64))
    return shares


def looks(shares: NDArray[np.float64], groups: dict[str, NDArray[np.bool_]]) -> pd.DataFrame:
    """Return the mean share of each part in each group of faces, LOOK_COLUMNS, with Student's intervals over faces.

    Give after minus before for the change from one classifier to another on the same faces: it is paired then.
    """
    rows = []
    for group, members in groups.items():
        chosen = shares[members]
        known = chosen[np.isfinite(chosen).all(axis=1)]
        for place, part in enumerate(FACE_PARTS):
            values = known[:, place]
            interval = mean_interval(values[None])
            rows.append((part, group, values.mean() if len(values) else np.nan, *interval, len(values)))
    return pd.DataFrame(rows, columns=list(LOOK_COLUMNS))
