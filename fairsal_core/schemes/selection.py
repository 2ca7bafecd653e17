"""Which pixels a scheme hides: those where the attribute can best be read off."""

import torch
from torch import Tensor

from fairsal_core.errors import FairsalError

# Quantiles are taken of many maps at once, but not of so many that the sorted copy strains the memory.
_CHUNK = 256


def check_quantile(quantile: float) -> float:
    """Return `quantile` if it lies strictly between 0 and 1, else raise FairsalError."""
    if not 0 < quantile < 1:
        raise FairsalError(f"The quantile must lie between 0 and 1 (0.7 hides the top 30%), not {quantile:g}.")
    return quantile


def select_pixels(maps: Tensor, quantile: float) -> Tensor:
    """Return the pixels strictly above each map's own quantile.

    Parameters
    ----------
    maps : tensor, (..., H, W)
        Pixel maps; only their order matters.
    quantile : float
        In (0, 1); 0.7 selects the top 30%, less ties.

    Returns
    -------
    tensor, (..., H, W) bool

    Raises
    ------
    FairsalError
        If the quantile is outside (0, 1).
    """
    check_quantile(quantile)
    flat = maps.flatten(start_dim=-2).reshape(-1, maps.shape[-1] * maps.shape[-2])
    selected = [part > torch.quantile(part, quantile, dim=-1, keepdim=True) for part in flat.split(_CHUNK)]
    return torch.cat(selected).reshape(maps.shape)
