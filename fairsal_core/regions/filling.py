"""The part of an aligned face that is not from the photo: no patch and no pixel of a map counts there."""

import numpy as np
from numpy.typing import NDArray

from fairsal_core.regions.grid import PatchGrid, to_pixel_map

Mask = NDArray[np.bool_]


def uncounted_patches(outside: Mask, grid: PatchGrid) -> Mask:
    """Return the positions (per_side, per_side) whose patch lies outside of the photo by more than half."""
    size, step = grid.patch_size, grid.stride
    patches = np.lib.stride_tricks.sliding_window_view(outside, (size, size))[::step, ::step]
    return np.asarray(patches.mean(axis=(-2, -1)) > 0.5)


def counted_pixel_map(
    positions: NDArray[np.floating], uncounted: Mask, outside: Mask, grid: PatchGrid
) -> NDArray[np.float32]:
    """Return each pixel's mean over the patches that contain it and count; NaN outside of the photo and where there are none."""
    total = to_pixel_map(np.where(uncounted, 0, positions), grid)
    share = to_pixel_map((~uncounted).astype(np.float32), grid)
    known = (share > 1e-6) & ~outside
    return np.where(known, total / np.where(known, share, 1), np.nan).astype(np.float32)
