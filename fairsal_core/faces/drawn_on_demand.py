"""Drawn faces that are not there yet, each drawn when it is wanted: the pixels that its file would give, without one.

So the finished run that ships can show its faces in an empty workspace, where drawing all 6,000 takes minutes.
"""

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairsal_core.drawing import face_picture
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.decoding import decode_image, to_square

_SIZE = 128  # as `pack` makes them
_KEPT = 512  # faces: 25 MB


class DrawnOnDemand:
    """Pixels (N, S, S, 3) of drawn faces, by their row; see `fairsal_core.faces.dataset.Wanted`.

    Parameters
    ----------
    numbers : array, (N,) int
        The number of each face.
    seed : int
        What they are drawn with.
    """

    def __init__(self, numbers: NDArray[np.int64], seed: int = 0) -> None:
        self._numbers, self._seed = numbers, seed
        self.shape, self.dtype = (len(numbers), _SIZE, _SIZE, 3), np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        """Return the pixels of some rows, or of one."""
        numbers = self._numbers[rows]
        pixels = [_pixels(self._seed, int(number)) for number in np.atleast_1d(numbers)]
        stacked = np.stack(pixels) if pixels else np.empty((0, *self.shape[1:]), np.uint8)
        return stacked if numbers.ndim else stacked[0]

    def digests(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the SHA-256 (n, 32) of the files that some rows would be."""
        contents = [face_picture(self._seed, int(number)) for number in self._numbers[rows]]
        found = [np.frombuffer(hashlib.sha256(content).digest(), np.uint8) for content in contents]
        return np.stack(found) if found else np.empty((0, 32), np.uint8)

    def unreadable(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return that all of some rows decode."""
        return np.zeros(len(rows), dtype=bool)


@lru_cache(_KEPT)
def _pixels(seed: int, number: int) -> NDArray[np.uint8]:
    pixels = to_square(decode_image(face_picture(seed, number), f"{number:06d}.jpg"), _SIZE)
    pixels.flags.writeable = False
    return pixels


def drawn_on_demand(faces: FaceDataset, seed: int = 0) -> FaceDataset:
    """Return the demo set's faces, as `demo_labels` gives them, with pixels that are drawn when they are wanted."""
    numbers = np.array([int(str(name).partition(".")[0]) for name in faces.names], dtype=np.int64)
    return replace(faces, packed=DrawnOnDemand(numbers, seed), rows=np.arange(len(faces)))
