"""`noise`: the selected pixels get Gaussian noise, fresh at every call."""

import numpy as np
import torch
from torch import Tensor

from fairsal_core.tensors import IMAGENET_MEAN, IMAGENET_STD

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
    # Drawn for the selected pixels alone: drawing is what takes long, and there are few of them.
    hidden = images.clone(memory_format=torch.channels_last)
    pixels = hidden.permute(0, 2, 3, 1).view(-1, images.shape[1])
    chosen = selected.expand(len(images), -1, -1, -1).flatten().nonzero().squeeze(1)
    clean = pixels.index_select(0, chosen)
    pixels.index_copy_(0, chosen, gaussian(clean, generator).mul_(DEVIATION).add_(clean).clamp_(0, 1))
    return hidden


def noise_after_normalisation(
    images: Tensor, selected: Tensor, fill: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Return the images as the authors' code disturbs them: noise and clipping act on normalised pixels.

    N(0, 0.5) is added to the selected pixels after ImageNet's normalisation, and then *every* pixel is clipped to [0, 1]:
    whatever was darker than the mean becomes the mean, whatever was brighter than mean + deviation becomes that. What is
    returned is that picture in [0, 1] again, so that the network's own normalisation leads back to it.
    """
    mean, deviation = (torch.tensor(values).to(images).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    normalised = (images - mean) / deviation
    disturbance = gaussian(images, generator).mul_(DEVIATION)
    clipped = torch.where(selected, normalised + disturbance, normalised).clamp(0, 1)
    return clipped * deviation + mean


def gaussian(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return independent N(0, 1) draws, of the images' shape, kind and order in memory; the same state gives the same.

    On a CPU numpy draws them, from a seed that torch draws: its method takes a third of the time of torch's, which was a
    third of a training step under noise.
    """
    drawn = torch.empty_like(images)
    if drawn.device.type != "cpu" or drawn.dtype != torch.float32:
        return drawn.normal_(generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    in_memory = drawn.as_strided((drawn.numel(),), (1,))
    np.random.Generator(np.random.SFC64(seed)).standard_normal(dtype=np.float32, out=in_memory.numpy())
    return drawn
