"""Scaling any part of a picture by the mean over the area that each new pixel covers."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating]


class Areas:
    """A picture of which parts of any size and place are scaled by the mean over what each pixel covers; black around it.

    Its sums from the upper left corner (a summed-area table) are made once. Between whole pixels they are linear, so four of them
    give the mean over any rectangle; where a part is made larger, a window one pixel wide is bilinear interpolation.
    """

    def __init__(self, image: Image.Image) -> None:
        pixels = np.asarray(image)
        self.height, self.width = pixels.shape[:2]
        self._sums = np.zeros((self.height + 1, self.width + 1, 3), dtype=np.uint32)  # holds 16 megapixels of white
        self._sums[1:, 1:] = pixels.cumsum(axis=0, dtype=np.uint32).cumsum(axis=1, dtype=np.uint32)

    def scaled(self, left: float, top: float, right: float, bottom: float, width: int, height: int) -> Floats:
        """Return the part between these edges as (height, width, 3), 0 to 255."""
        rows, tall = _between(self._sums, top, bottom, height, axis=0)
        both, wide = _between(rows, left, right, width, axis=1)
        return both / (tall * wide)


def _between(sums: Floats, start: float, end: float, count: int, axis: int) -> tuple[Floats, float]:
    """Return the differences of sums along an axis over `count` windows from start to end, and how wide these are."""
    step = (end - start) / count
    centres = start + step * (np.arange(count) + 0.5)
    span = max(step, 1.0)
    low, high = (_at(sums, centres + side * span / 2, axis) for side in (-1, 1))
    return high - low, span


def _at(sums: Floats, places: Floats, axis: int) -> Floats:
    """Return sums along an axis at places between whole pixels."""
    places = places.clip(0, sums.shape[axis] - 1)
    whole = np.minimum(places.astype(int), sums.shape[axis] - 2)
    share = np.expand_dims(places - whole, tuple(number for number in range(sums.ndim) if number != axis))
    return np.asarray(sums.take(whole, axis) * (1 - share) + sums.take(whole + 1, axis) * share)
