"""What every explainer shares: its settings' base, what it gives back, and how it is called."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

Colour = tuple[float, float, float]


class ExplainerSettings(BaseModel):
    """Base of all explainers' settings: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Attribution(NamedTuple):
    """What an explainer gives for a batch.

    `relevance` is signed, (N, H, W); `diagnostics` holds one number an image, (N,), by name.
    """

    relevance: Tensor
    diagnostics: dict[str, Tensor]


Attribute = Callable[[Tensor, Tensor, int], Attribution]
"""(images (N, 3, H, W) in [0, 1], targets (N,), most images to pass through the network at once) -> Attribution."""


def target_gradient(network: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Return the gradient (N, 3, H, W) of each image's target logit with respect to its pixels."""
    pixels = images.detach().clone().requires_grad_()
    logits = network(pixels)
    (gradient,) = torch.autograd.grad(chosen(logits, targets).sum(), pixels)
    return gradient


def chosen(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the target's logit (N,) of logits (N, C)."""
    return logits.gather(1, targets[:, None])[:, 0]


def filled(images: Tensor, colour: Colour) -> Tensor:
    """Return images of one colour, of the shape of `images` (N, 3, H, W)."""
    return images.new_tensor(colour).view(1, 3, 1, 1).expand_as(images)
