"""A region of interest: a rectangle with named fields, so that drawing and measuring cannot disagree on axes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError


@dataclass(frozen=True)
class Roi:
    """An axis-aligned rectangle in pixels.

    Parameters
    ----------
    x, y : int
        Left and top edge; x runs along the width, y down the height.
    width, height : int
        Extent in pixels, at least 1.
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise FairsalError(
                f"A region of interest needs a width and height of at least 1 pixel, not {self.width} x {self.height}."
            )
        if self.x < 0 or self.y < 0:
            raise FairsalError(f"A region of interest starts inside the image, not at x={self.x}, y={self.y}.")

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the boolean mask of shape (height, width), rows being y.

        Raises
        ------
        FairsalError
            If the rectangle reaches outside the image.

        Examples
        --------
        >>> Roi(x=1, y=0, width=2, height=1).mask((2, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 0, 0, 0]]
        """
        height, width = shape
        if self.x + self.width > width or self.y + self.height > height:
            raise FairsalError(
                f"The region of interest x {self.x}..{self.x + self.width}, y {self.y}..{self.y + self.height} "
                f"reaches outside the {width} x {height} image."
            )
        mask = np.zeros(shape, dtype=bool)
        mask[self.y : self.y + self.height, self.x : self.x + self.width] = True
        return mask
