"""A photo that is given to a command: the face that is meant, brought into CelebA's frame, and what there is to say of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.errors import FairsalError
from fairsal_core.faces import Face, aligned_square, decode_image, find_faces, is_aligned, movement, to_square

NO_FACE, BY_HAND, ALREADY, ALIGNED = "no face", "by hand", "already aligned", "aligned"


@dataclass(frozen=True, eq=False)
class Portrait:
    """What is looked at of a photo.

    Attributes
    ----------
    pixels : array, (128, 128, 3) uint8
        The face in its frame, or what there is instead.
    outside : array, (128, 128) bool, optional
        Pixels that are not from the photo; None if all are.
    about : dict
        For machines: `state`, how many faces were found, and of the one that was taken its box, score and movement.
    said : tuple of str
        For people, one sentence each.
    """

    pixels: NDArray[np.uint8]
    outside: NDArray[np.bool_] | None
    about: dict[str, Any]
    said: tuple[str, ...]


def portrait_in(path: Path, number: int | None = None, crop: tuple[int, int, int, int] | None = None) -> Portrait:
    """Return the face to look at in a photo.

    Parameters
    ----------
    path : Path
        PNG, JPEG or WebP.
    number : int, optional
        Of several faces this one, 1 being the largest, which is the default.
    crop : tuple of int, optional
        Left, top, width and height of a part that was framed by hand: no face is aligned then.

    Raises
    ------
    FairsalError
        If it is no usable picture, has no such face, or the part lies outside of it.
    """
    picture = decode_image(path)
    if crop is not None:
        return _by_hand(picture, path.name, crop)
    faces = find_faces(picture)
    if number is not None and not 1 <= number <= len(faces):
        raise FairsalError(f"{path.name} shows {_faces(len(faces))}, so there is no face {number} in it.")
    if not faces:
        return _without_a_face(picture, path.name)
    face = faces[(number or 1) - 1]
    pixels, outside = aligned_square(picture, face)
    aligned = is_aligned(picture, face)
    about = {"state": ALREADY if aligned else ALIGNED, "faces": len(faces), **_about(face)}
    if not aligned:
        about |= movement(face.points)
    share = 0.0 if outside is None else float(outside.mean())
    about["outside"] = round(share, 4)
    said = []
    if len(faces) > 1 and number is None:
        said.append(f"{path.name} shows {_faces(len(faces))}: the largest is taken; --face NUMBER takes another.")
    if share:
        said.append("Part of the frame is not from the photo: it has no value in the map, and no patch there counts.")
    return Portrait(pixels, outside, about, tuple(said))


def _faces(count: int) -> str:
    return f"{count} face{'' if count == 1 else 's'}" if count else "no face"


def _about(face: Face) -> dict[str, Any]:
    return {"box": [round(edge, 1) for edge in face.box], "score": round(face.score, 4)}


def _by_hand(picture: Image.Image, name: str, crop: tuple[int, int, int, int]) -> Portrait:
    left, top, width, height = crop
    if not (0 <= left < left + width <= picture.width and 0 <= top < top + height <= picture.height):
        raise FairsalError(f"The part {','.join(map(str, crop))} reaches outside of {name}, {_size(picture)} pixels.")
    part = picture.crop((left, top, left + width, top + height))
    return Portrait(to_square(part), None, {"state": BY_HAND, "crop": list(crop), "outside": 0.0}, ())


def _without_a_face(picture: Image.Image, name: str) -> Portrait:
    said = (
        f"No face was found in {name}: the map is of its middle, and says nothing about a face. If there is one, frame it as a "
        "passport photo would, with --crop LEFT,TOP,WIDTH,HEIGHT."
    )
    return Portrait(to_square(picture), None, {"state": NO_FACE, "faces": 0, "outside": 0.0}, (said,))


def _size(picture: Image.Image) -> str:
    return f"{picture.width} x {picture.height}"


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """Return the four numbers of "LEFT,TOP,WIDTH,HEIGHT"; ValueError for anything else, as argparse wants it."""
    left, top, width, height = map(int, text.split(","))
    return left, top, width, height
