"""The plain gradient: how much the target's logit changes with each pixel (Simonyan et al. 2014, equation 4)."""

from torch import Tensor, nn

from fairsal_core.saliency.base import Attribute, Attribution, ExplainerSettings, target_gradient


class GradientSettings(ExplainerSettings):
    """The gradient has no settings."""


def prepare_gradient(network: nn.Module, settings: GradientSettings, sample: Tensor) -> Attribute:
    """Return a function that gives the signed gradient, summed over channels."""

    def attribute(images: Tensor, targets: Tensor, limit: int) -> Attribution:
        return Attribution(target_gradient(network, images, targets).sum(dim=1), {})

    return attribute
