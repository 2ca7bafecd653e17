"""Layer-wise relevance propagation (Bach et al. 2015) with zennit's rules and composites.

Relevance starts as the target's logit and is handed back layer by layer, so that its sum is kept.

Three traps, each with a test:

- Batch norm has to be merged into the layer before it. zennit leaves the merged batch norm's eps in place (output off
  by 5e-6 a layer) and merges only neighbours, which a dropout between the two prevents. Here dropouts are taken out
  first and merged batch norms become identities. Residual blocks need their own canonizer: without it relevance grows
  2^8-fold (ResNet18) and 2^16-fold (ResNet50).
- zennit edits modules in place, so `network` must be the caller's own copy.
- `Normalise` is affine per channel: a gradient through it would scale the channels by 1/std and break the sum. Pixel and
  normalised pixel are the same input in other units, so relevance passes unchanged, and the box of `epsilon_gamma_box`
  is [0, 1] in the units that the first convolution sees.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from fairsal_core.classifiers import Correction
from fairsal_core.errors import FairsalError
from fairsal_core.saliency.base import Attribute, Attribution, ExplainerSettings, chosen
from fairsal_core.tensors import Normalise

if TYPE_CHECKING:
    from zennit.core import Composite

_NO_OPS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)
_MOST_DRIFT = 1e-4  # relative; rounding stays below 1e-6, a batch norm merged into the wrong layer does not


class LrpSettings(ExplainerSettings):
    """Which rule each kind of layer gets."""

    composite: Literal["epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box"] = Field(
        "epsilon_plus", description="z+ or gamma in convolutions, epsilon in linear layers; flat or box in the first"
    )
    epsilon: float = Field(1e-6, gt=0, le=1, description="the epsilon rule's stabiliser")
    gamma: float = Field(0.25, gt=0, le=10, description="the gamma rule's weight of positive parts")
    zero_bias: bool = Field(
        True,
        description="leave biases out, so that all relevance reaches the pixels; off, as zennit's default, they absorb some",
    )


def prepare_lrp(network: nn.Module, settings: LrpSettings, sample: Tensor) -> Attribute:
    """Return a function that gives signed relevance, summed over channels, and `relevance_kept`: its sum over the logit.

    Parameters
    ----------
    network : torch.nn.Module
        A copy in eval mode; it is canonised in place.
    settings : LrpSettings
        Rules.
    sample : tensor, (1, 3, H, W)
        An image to check the canonised network with.

    Raises
    ------
    FairsalError
        If merging its batch norms changes what the network computes.
    """
    # The logits of one face may all but cancel, and rounding is then much of them: others say how large they are.
    probes = torch.cat([sample, 1 - sample, torch.zeros_like(sample), torch.ones_like(sample)])
    before = _logits(network, probes)
    canonise(network)
    drift = float((_logits(network, probes) - before).abs().max() / before.abs().max().clamp(min=1e-12))
    if not drift < _MOST_DRIFT:
        raise FairsalError(
            f"LRP cannot merge this network's batch norms: its output changes by {drift:.1e}. "
            "Define each batch norm right after the layer it follows, or choose another explainer."
        )
    composite = _composite(network, settings)

    def attribute(images: Tensor, targets: Tensor, limit: int) -> Attribution:
        pixels = images.detach().clone().requires_grad_()
        with composite.context(network):
            logits = network(pixels)
            # One-hot, then times the logit: the rules are linear in what they start from, and the share that is kept
            # is then known for a logit near zero too.
            start = functional.one_hot(targets, logits.shape[1]).to(logits)
            (shares,) = torch.autograd.grad(logits, pixels, start)
        relevance = shares.sum(dim=1) * chosen(logits.detach(), targets)[:, None, None]
        return Attribution(relevance, {"relevance_kept": shares.sum(dim=(1, 2, 3))})

    return attribute


def canonise(network: nn.Module) -> None:
    """Merge batch norms and make residual sums visible to rules, in place; the network computes what it did before.

    Which canonizer is right follows from the architecture: torchvision's residual blocks need theirs.
    """
    from torchvision.models.resnet import BasicBlock, Bottleneck
    from zennit.canonizers import MergeBatchNorm, SequentialMergeBatchNorm
    from zennit.torchvision import ResNetCanonizer

    for parent, name, child in list(_children(network)):
        if isinstance(child, _NO_OPS) and type(parent) is nn.Sequential:
            delattr(parent, name)
    residual = any(isinstance(module, BasicBlock | Bottleneck) for module in network.modules())
    canonizer = ResNetCanonizer() if residual else SequentialMergeBatchNorm()
    done = canonizer.apply(network)
    merged = {id(step.batch_norm) for step in done if isinstance(step, MergeBatchNorm)}
    for parent, name, child in list(_children(network)):
        if id(child) in merged:
            setattr(parent, name, nn.Identity())


def _children(network: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for parent in network.modules():
        for name, child in parent.named_children():
            yield parent, name, child


def _composite(network: nn.Module, settings: LrpSettings) -> "Composite":
    from zennit.composites import EpsilonGammaBox, EpsilonPlus, EpsilonPlusFlat
    from zennit.rules import Norm, Pass

    options: dict[str, Any] = {
        "epsilon": settings.epsilon,
        "zero_params": ["bias"] if settings.zero_bias else None,
        # A correction is affine: each activation gets what it contributed, and its constant keeps its share, as a bias.
        "layer_map": [(Normalise, Pass()), (Correction, Norm())],
    }
    if settings.composite == "epsilon_plus":
        return EpsilonPlus(**options)
    if settings.composite == "epsilon_plus_flat":
        return EpsilonPlusFlat(**options)
    low, high = _box(network)
    return EpsilonGammaBox(low=low, high=high, gamma=settings.gamma, **options)


def _box(network: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the lowest and highest pixels (1, 3, 1, 1) as the first convolution sees them."""
    low, high = torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)
    normalise = next((module for module in network.modules() if isinstance(module, Normalise)), None)
    if normalise is None:
        return low, high
    return normalise(low.to(normalise.mean)), normalise(high.to(normalise.mean))


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network(images)
    return logits
