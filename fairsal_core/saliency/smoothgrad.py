"""SmoothGrad: the mean gradient over noisy copies of an image (Smilkov et al. 2017, section 3).

Hand-written, unlike Integrated Gradients: captum's `NoiseTunnel` draws from the global generator, which other threads
draw from too, and gives an image other noise when it stands elsewhere in a batch.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.saliency.base import Attribute, Attribution, ExplainerSettings, target_gradient


class SmoothGradSettings(ExplainerSettings):
    """How many noisy copies, and how noisy."""

    samples: int = Field(25, ge=1, le=1000, description="noisy copies of each image")
    noise: float = Field(0.15, gt=0, le=1, description="standard deviation of the noise; pixels lie in [0, 1]")
    seed: int = Field(0, ge=0, description="fixes the noise")


def evaluations(settings: SmoothGradSettings, size: tuple[int, int]) -> int:
    """Return how many times each image passes through the network."""
    return settings.samples


def prepare_smoothgrad(network: nn.Module, settings: SmoothGradSettings, sample: Tensor) -> Attribute:
    """Return a function that gives the signed mean gradient, summed over channels.

    All images get the same noise patterns: an image's map then does not depend on the others in the batch, and two
    classifiers are compared under the same noise.
    """
    generator = torch.Generator().manual_seed(settings.seed)  # on the CPU: the same noise on every device
    noise = settings.noise * torch.randn((settings.samples, *sample.shape[1:]), generator=generator)
    noise = noise.to(sample.device)

    def attribute(images: Tensor, targets: Tensor, limit: int) -> Attribution:
        noisy = (images[:, None] + noise).flatten(0, 1)
        labels = targets.repeat_interleave(settings.samples)
        pieces = zip(noisy.split(limit), labels.split(limit), strict=True)
        gradient = torch.cat([target_gradient(network, *piece).sum(dim=1) for piece in pieces])
        return Attribution(gradient.unflatten(0, (len(images), settings.samples)).mean(dim=1), {})

    return attribute
