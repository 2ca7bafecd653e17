"""The grid of patches, and Algorithm 1 of De Coninck et al. (2024): from confidence per patch to a map per pixel."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairsal_core.errors import FairsalError

Array = TypeVar("Array", NDArray[np.floating], Tensor)
# Of the largest value: what single precision makes of the mean of equal positions. Scaled up, it would be a map of noise. Positions
# that differ at all, by half precision's least step near 1, differ by more even in a pixel that 256 patches contain.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class PatchGrid:
    """Square patches at evenly spaced positions, numbered along rows.

    The default is the paper's: 32-pixel patches at 49 x 49 = 2401 positions, 2 pixels apart. (The paper prints p = 2041
    and s = I - k / sqrt(p); the authors' command line says 2401.)

    Examples
    --------
    >>> grid = PatchGrid()
    >>> grid.stride, grid.count, grid.top_left(0), grid.top_left(50)
    (2, 2401, (0, 0), (2, 2))
    """

    image_size: int = 128
    patch_size: int = 32
    per_side: int = 49

    def __post_init__(self) -> None:
        room = self.image_size - self.patch_size
        if self.patch_size < 1 or room < 1 or self.per_side < 2 or room % (self.per_side - 1):
            raise FairsalError(
                f"{self.per_side} positions of a {self.patch_size}-pixel patch are not evenly spaced on {self.image_size} pixels; "
                f"{room} must be a multiple of the positions less one."
            )
        if self.stride > self.patch_size:
            raise FairsalError(f"A stride of {self.stride} leaves pixels that no {self.patch_size}-pixel patch covers.")

    @property
    def stride(self) -> int:
        """Pixels between neighbouring positions."""
        return (self.image_size - self.patch_size) // (self.per_side - 1)

    @property
    def count(self) -> int:
        """Number of positions."""
        return self.per_side**2

    def top_left(self, position: int) -> tuple[int, int]:
        """Return (x, y) of a position's upper left pixel.

        Raises
        ------
        FairsalError
            If there is no such position.
        """
        if not 0 <= position < self.count:
            raise FairsalError(f"Position {position} is outside the grid; positions run from 0 to {self.count - 1}.")
        row, column = divmod(position, self.per_side)
        return column * self.stride, row * self.stride


def coverage(grid: PatchGrid) -> NDArray[np.float32]:
    """Return M (image_size, per_side): row p weighs the positions whose patch covers pixel p along one axis; rows add to 1."""
    pixels = np.arange(grid.image_size)[:, None]
    starts = np.arange(grid.per_side)[None, :] * grid.stride
    covers = (starts <= pixels) & (pixels < starts + grid.patch_size)
    return np.asarray(covers / covers.sum(axis=1, keepdims=True), dtype=np.float32)


@lru_cache(maxsize=8)
def _coverage_tensor(grid: PatchGrid, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # it is kept, and autograd refuses a tensor that was made in inference mode
        return torch.from_numpy(coverage(grid)).to(device)


def to_pixel_map(values: Array, grid: PatchGrid) -> Array:
    """Spread a value per position over the pixels: each pixel is the mean over the patches that contain it.

    Which patches contain a pixel is a question per axis, so the mean over patches is two small matrix products,
    ``M C M^T``, instead of a loop over 2401 patches.

    Parameters
    ----------
    values : array or tensor, (..., per_side, per_side)
        Row = y, column = x.
    grid : PatchGrid
        The grid the values belong to.

    Returns
    -------
    array or tensor, (..., image_size, image_size)
        float32, same kind and device as `values`.

    References
    ----------
    De Coninck et al. (2024), Algorithm 1 and equation 5.
    """
    if tuple(values.shape[-2:]) != (grid.per_side, grid.per_side):
        raise FairsalError(
            f"Expected values of shape (..., {grid.per_side}, {grid.per_side}), got {tuple(values.shape)}."
        )
    if isinstance(values, Tensor):
        weights = _coverage_tensor(grid, values.device)
        return weights @ values.to(torch.float32) @ weights.T
    weights = coverage(grid)
    return weights @ np.asarray(values, dtype=np.float32) @ weights.T


def min_max(maps: Array) -> Array:
    """Scale each map (..., H, W) to [0, 1]; a map that is constant but for rounding becomes 0."""
    if isinstance(maps, Tensor):
        low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
        varies = high - low > _ROUNDING * torch.maximum(high.abs(), low.abs())
        return torch.where(varies, maps - low, 0) / torch.where(varies, high - low, 1)
    low, high = maps.min(axis=(-2, -1), keepdims=True), maps.max(axis=(-2, -1), keepdims=True)
    varies = high - low > _ROUNDING * np.maximum(np.abs(high), np.abs(low))
    return np.asarray(np.where(varies, maps - low, 0) / np.where(varies, high - low, 1))
