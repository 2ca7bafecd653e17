"""Integrated Gradients: the gradient summed along a line from a baseline to the image (Sundararajan et al. 2017, eq. 1)."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from fairsal_core.saliency.base import Attribute, Attribution, Colour, ExplainerSettings, filled
from fairsal_core.tensors import IMAGENET_MEAN


class IntegratedGradientsSettings(ExplainerSettings):
    """Baseline and precision of the integral."""

    steps: int = Field(50, ge=2, le=1000, description="points of the Gauss-Legendre quadrature")
    baseline: Literal["mean_colour", "black", "blur"] = Field(
        "mean_colour", description="what counts as no information"
    )
    colour: Colour = Field(
        IMAGENET_MEAN, description="the mean colour, in [0, 1]; ImageNet's unless the data's is known"
    )
    blur_sigma: float = Field(10.0, gt=0, le=100, description="width of the blur in pixels")


def evaluations(settings: IntegratedGradientsSettings, size: tuple[int, int]) -> int:
    """Return how many times each image passes through the network."""
    return settings.steps


def prepare_integrated_gradients(
    network: nn.Module, settings: IntegratedGradientsSettings, sample: Tensor
) -> Attribute:
    """Return a function that gives the signed attributions, summed over channels, and their `completeness_delta`.

    The delta is the attributions' sum minus (logit of the image - logit of the baseline), in logits: the error of the
    quadrature. It shrinks as the steps grow.
    """
    from captum.attr import IntegratedGradients  # seconds to import

    explainer = IntegratedGradients(network)

    def attribute(images: Tensor, targets: Tensor, limit: int) -> Attribution:
        relevance, delta = explainer.attribute(
            images,
            baselines=baseline(images, settings),
            target=targets,
            n_steps=settings.steps,
            method="gausslegendre",
            internal_batch_size=max(limit, len(images)),
            return_convergence_delta=True,
        )
        return Attribution(relevance.detach().sum(dim=1), {"completeness_delta": delta.detach()})

    return attribute


def baseline(images: Tensor, settings: IntegratedGradientsSettings) -> Tensor:
    """Return the baseline (N, 3, H, W) of each image, in [0, 1]."""
    if settings.baseline == "black":
        return torch.zeros_like(images)
    if settings.baseline == "mean_colour":
        return filled(images, settings.colour)
    return _blurred(images, settings.blur_sigma)


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Blur with a Gaussian, cut at three sigma, the border pixels repeated outwards."""
    reach = int(3 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = weights / weights.sum()
    planes = functional.pad(images.flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")
    planes = functional.conv2d(functional.conv2d(planes, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))
    return planes.view_as(images)
