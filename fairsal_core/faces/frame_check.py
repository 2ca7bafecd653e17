"""Is a set in CelebA's frame, as region classifiers and regions of interest take for granted? A look at some of its pictures."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fairsal_core.errors import FairsalError
from fairsal_core.faces.alignment import FRAME, Floats, find_faces, misplacement
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.decoding import ALIGNED_ASPECT, ASPECT_SLACK, aligned_crop, decode_image
from fairsal_core.files import open_regular, read_json, write_json
from fairsal_core.home import leads_out
from fairsal_core.progress import Progress, silent, tell

_FORMAT = 2
_LOOKED_AT = 20
FAR = 12.0  # pixels of the frame: twice as far as 99 in 100 of CelebA's own
_TOO_WIDE, _IN_PLACE = 0.97, 4.5  # between what is squeezed and what is not: see `are_squeezed`
_FOLDER = "alignment"


_told: set[str] = set()


def tell_of_frame(faces: FaceDataset, cache: Path, progress: Progress = silent) -> None:
    """Say it, once in a process, to whoever follows the progress, and in the log, where a set is not in CelebA's frame."""
    notice = frame_notice(faces, cache)
    if notice and notice not in _told:
        _told.add(notice)
        tell(progress, notice)


def frame_notice(faces: FaceDataset, cache: Path) -> str:
    """Return a sentence on a set whose faces do not lie where CelebA's do, or "" where they do.

    Some 20 pictures are looked at: their size first, and only where that is not the frame's their faces, as packing would crop
    them. What was found is kept in the cache for as long as the folder does not change.

    Parameters
    ----------
    faces : FaceDataset
        As loaded.
    cache : Path
        Where to keep it.
    """
    if not len(faces):
        return ""
    kept = cache / _FOLDER / f"{_key(faces)}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(read_json(kept)["notice"])
    notice = _look(faces)
    with suppress(OSError):  # it is asked again then
        write_json(kept, {"notice": notice})
    return notice


def _key(faces: FaceDataset) -> str:
    """Return a short hash of the folder, its date and how many faces it has."""
    try:
        stamp = faces.image_folder.stat().st_mtime_ns
    except OSError:
        stamp = 0
    return hashlib.sha256(f"{_FORMAT}|{faces.image_folder.resolve()}|{stamp}|{len(faces)}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Seen:
    """What a look at a picture says of where its face lies.

    Attributes
    ----------
    size : tuple of int
        Width and height.
    place : float
        How far eyes and mouth lie from CelebA's after packing's crop, in pixels of the frame; NaN where no face was found.
    stretched : float
        The same if the whole picture were stretched to the frame's shape.
    width_to_height : float
        Distance of the eyes over that from eyes to mouth.
    """

    size: tuple[int, int]
    place: float
    stretched: float
    width_to_height: float

    @property
    def has_face(self) -> bool:
        """Whether one was found."""
        return not np.isnan(self.place)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it was found, and far from where CelebA's lie."""
        return self.has_face and self.place > FAR


def look_at(file: Path, folder: Path) -> Seen | None:
    """Look for the face in a picture of a set; None if it does not read, which packing says."""
    if file.is_symlink() and leads_out(file, folder):
        return None
    try:
        picture = decode_image(file)
    except FairsalError:
        return None
    nearest = Seen(picture.size, float("nan"), float("nan"), float("nan"))
    left, top, right, bottom = (0, 0, *picture.size)
    if kept_share(*picture.size) < 1:
        left, top, right, bottom = aligned_crop(*picture.size)
    for face in find_faces(picture):
        place = misplacement((face.points - (left, top)) * np.divide(FRAME, (right - left, bottom - top)))
        if not place >= nearest.place:
            stretched = misplacement(face.points * np.divide(FRAME, picture.size))
            nearest = Seen(picture.size, place, stretched, _width_to_height(face.points))
    return nearest


def _width_to_height(points: Floats) -> float:
    eyes, mouth = points[:2], points[3:]
    down = float(np.linalg.norm(mouth.mean(axis=0) - eyes.mean(axis=0)))
    return float(np.linalg.norm(eyes[1] - eyes[0])) / down if down else float("nan")


def are_squeezed(seen: Sequence[Seen]) -> bool:
    """Return whether pictures seem to be CelebA's frame squeezed to squares: faces too wide, and in their place once stretched.

    Of 30 real ones the median width to height is 1.02 squeezed and 0.92 as they are, and stretching leaves the squeezed 2.4 pixels
    from their place, squares cut out of the frame 5.9.
    """
    found = [one for one in seen if one.has_face and abs(one.size[0] / one.size[1] - 1) <= ASPECT_SLACK]
    if len(found) <= len(seen) / 2:
        return False
    stretched = float(np.median([one.stretched for one in found]))
    return stretched < _IN_PLACE and float(np.median([one.width_to_height for one in found])) > _TOO_WIDE


def _look(faces: FaceDataset) -> str:
    rows = np.unique(np.linspace(0, len(faces) - 1, _LOOKED_AT).astype(int))
    files = [faces.image_folder / str(faces.names[row]) for row in rows]
    sizes = [size for file in files if (size := _size(file, faces.image_folder))]
    if not sizes or all(size == FRAME for size in sizes):
        return ""
    seen = [one for file in files if (one := look_at(file, faces.image_folder))]
    if not seen:
        return ""
    lost = [1 - kept_share(*one.size) for one in seen]
    wrong_shape = [share for share in lost if share > 0]
    found = [one.place for one in seen if one.has_face]
    no_face = len(found) < len(seen) / 2
    far = bool(found) and float(np.median(found)) > FAR
    squeezed = are_squeezed(seen)
    if not (no_face or far or squeezed or len(wrong_shape) > len(lost) / 2):
        return ""
    said = [f"Of {len(seen)} pictures looked at"]
    if wrong_shape:
        said.append(
            f"{len(wrong_shape)} have another shape than 178:218 and lose {np.median(wrong_shape):.0%} at their edges"
        )
    if squeezed:
        said.append("they seem to be that frame squeezed to squares, which makes faces too wide")
    if no_face:
        said.append(f"no face was found in {len(seen) - len(found)}")
    if far:
        said.append(
            f"eyes and mouth lie {np.median(found):.0f} pixels from where region classifiers of aligned faces look for them"
        )
    undone = f"`fairsal align {faces.root} --out ANOTHER-FOLDER{' --stretch' if squeezed else ''}`"
    return (
        f"{faces.image_folder.name} is not in CelebA's frame. {said[0]}, {'; '.join(said[1:])}. "
        f"{undone} {'stretches them back' if squeezed else 'aligns it'}."
    )


def _size(file: Path, folder: Path) -> tuple[int, int] | None:
    """Return a picture's width and height without decoding it; None if it does not read, which packing says."""
    if file.is_symlink() and leads_out(file, folder):
        return None
    with suppress(Exception), open_regular(file) as stream, Image.open(stream) as image:
        return image.size
    return None


def kept_share(width: int, height: int) -> float:
    """Return how much of a picture is left when packing has cropped it to the frame's shape."""
    wider = width / height / ALIGNED_ASPECT
    return 1.0 if abs(wider - 1) <= ASPECT_SLACK else min(wider, 1 / wider)
