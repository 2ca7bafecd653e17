"""`mask`: the selected pixels are set to one colour."""

import torch
from torch import Tensor


def mask(images: Tensor, selected: Tensor, fill: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return the images with their selected pixels set to `fill`, the data set's mean colour.

    Parameters
    ----------
    images : tensor, (N, 3, H, W)
        In [0, 1].
    selected : tensor, (1 or N, 1, H, W) bool
        What to hide.
    fill : tensor, (1, 3, 1, 1)
        Colour in [0, 1].
    generator
        Not used: a mask is the same every time.
    """
    return torch.where(selected, fill, images)
