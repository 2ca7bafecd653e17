"""`noise`: the selected pixels get Gaussian noise, fresh at every call."""

import torch
from torch import Tensor

DEVIATION = 0.5


def noise(images: Tensor, selected: Tensor, fill: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return the images with N(0, 0.5) added to their selected pixels and clipped to [0, 1].

    Parameters
    ----------
    images : tensor, (N, 3, H, W)
        In [0, 1].
    selected : tensor, (1 or N, 1, H, W) bool
        What to hide.
    fill
        Not used.
    generator : torch.Generator, optional
        On the images' device; the same state gives the same noise.
    """
    disturbance = torch.empty_like(images).normal_(0.0, DEVIATION, generator=generator)
    return torch.where(selected, (images + disturbance).clamp(0, 1), images)
