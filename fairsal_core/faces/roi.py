"""Regions of interest: one kind of object for drawing and measuring, so that the two cannot disagree on axes.

Whatever has `.mask((height, width))` is a region: a rectangle with named fields (`Roi`), or any set of pixels
(`PixelRoi`), the same in all images or each image's own.
"""

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


@dataclass(frozen=True, eq=False)
class PixelRoi:
    """Any set of pixels.

    Parameters
    ----------
    pixels : array, (H, W) or (N, H, W) bool
        One mask for all images, or each image's own; rows being y. A mask may be empty: such an image has no region.
    """

    pixels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.bool_ or self.pixels.ndim not in (2, 3):
            raise FairsalError(
                f"A region of pixels is a boolean mask (H, W) or (N, H, W), not {self.pixels.dtype} {self.pixels.shape}."
            )

    def mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the mask (H, W) or (N, H, W).

        Raises
        ------
        FairsalError
            If it was made for images of another size.
        """
        if self.pixels.shape[-2:] != tuple(shape):
            raise FairsalError(
                f"This region was made for images of {self.pixels.shape[-2:]}, not of {tuple(shape)} (height, width)."
            )
        return self.pixels


AnyRoi = Roi | PixelRoi

# Boxes of the aligned frame of 178 x 218, scaled to 128 x 128. Necktie and hat are Sztukiewicz et al.'s (2025); the
# eyes' and the mouth's are ours, around the aligned landmarks.
ROI_PRESETS: dict[str, Roi] = {
    "Wearing_Necktie": Roi(x=21, y=106, width=86, height=17),
    "Wearing_Hat": Roi(x=7, y=12, width=108, height=29),
    "Eyeglasses": Roi(x=27, y=54, width=74, height=23),
    "Smiling": Roi(x=40, y=80, width=48, height=21),
}


def roi_area(roi: AnyRoi, shape: tuple[int, int]) -> float:
    """Return the region's share of the image, 0 to 1; with a mask for each image the mean of those that have one.

    Examples
    --------
    >>> roi_area(Roi(x=0, y=0, width=2, height=1), (2, 4))
    0.25
    """
    mask = roi.mask(shape)
    shares = mask.reshape(-1, shape[0] * shape[1]).mean(axis=1)
    return float(shares[shares > 0].mean()) if (shares > 0).any() else 0.0
