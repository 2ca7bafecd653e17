"""Occlusion: how far the target's logit falls when a window is painted over (Zeiler and Fergus 2014, section 4.2)."""

import math
from typing import Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.saliency.base import Attribute, Attribution, Colour, ExplainerSettings, filled
from fairsal_core.tensors import IMAGENET_MEAN


class OcclusionSettings(ExplainerSettings):
    """Size, step and colour of the window."""

    window: int = Field(16, ge=1, le=1024, description="side of the square window in pixels")
    stride: int = Field(8, ge=1, le=1024, description="step of the window in pixels, at most its side")
    colour: Colour = Field(
        IMAGENET_MEAN, description="the window's colour, in [0, 1]; ImageNet's unless the data's is known"
    )

    @model_validator(mode="after")
    def _covers_every_pixel(self) -> Self:
        if self.stride > self.window:
            raise ValueError(f"a stride of {self.stride} leaves pixels out of a window of {self.window}")
        return self


def evaluations(settings: OcclusionSettings, size: tuple[int, int]) -> int:
    """Return how many times each image passes through the network: once a position of the window."""
    return math.prod(math.ceil(max(side - settings.window, 0) / settings.stride) + 1 for side in size)


def prepare_occlusion(network: nn.Module, settings: OcclusionSettings, sample: Tensor) -> Attribute:
    """Return a function that gives, for each pixel, the mean fall of the logit over the windows that cover it.

    Raises
    ------
    FairsalError
        If the window is larger than the image.
    """
    from captum.attr import Occlusion  # seconds to import

    if settings.window > min(sample.shape[-2:]):
        raise FairsalError(
            f"A window of {settings.window} pixels does not fit into images of {tuple(sample.shape[-2:])}; "
            f"use at most {min(sample.shape[-2:])}."
        )
    explainer = Occlusion(network)

    def attribute(images: Tensor, targets: Tensor, limit: int) -> Attribution:
        falls = explainer.attribute(
            images,
            sliding_window_shapes=(3, settings.window, settings.window),
            strides=(3, settings.stride, settings.stride),
            baselines=filled(images, settings.colour),
            target=targets,
            perturbations_per_eval=max(1, limit // len(images)),
        )
        # The window covers all three channels, so each of them carries the whole fall: one, not their sum.
        return Attribution(falls[:, 0], {})

    return attribute
