"""From a frame to two logits: what is done to the pixels before a network from elsewhere, and to its outputs behind it.

All of it is differentiable and keeps to plain tensor operations, so that it can be explained, fine-tuned and exported.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.classifiers.corrections import Decision
from fairsal_core.classifiers.imported.manifest import Manifest, Outputs, Preprocessing

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow has it
_SURE = 1e-7  # a probability of 0 or 1 has no logit


def prepare(frames: Tensor, settings: Preprocessing) -> Tensor:
    """Return frames (N, 3, H, W), RGB in [0, 1], as the network gets them: (N, C, h, w).

    Resized with antialiasing, not rounded to 8 bits in between as pipelines on pictures do: rounding has no gradient.
    """
    pixels = _shaped(frames, settings)
    return (pixels * settings.scale - _column(settings.mean, pixels)) / _column(settings.std, pixels)


def shown_pixels(images: NDArray[np.uint8], settings: Preprocessing) -> tuple[list[NDArray[np.float32]], float, float]:
    """Return images (N, H, W, 3) uint8 as the network gets them, to be looked at, and the range of the values that it gets.

    The pictures (h, w, 3) in [0, 1] have its size, crop and order of channels, but not its scale.
    """
    frames = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
    pixels, values = _shaped(frames, settings), prepare(frames, settings)
    seen = pixels.clamp(0, 1).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    return list(seen), float(values.min()), float(values.max())


def _shaped(frames: Tensor, settings: Preprocessing) -> Tensor:
    pixels = _resized(frames, settings)
    (top, left), (height, width) = settings.origin, settings.size
    pixels = pixels[:, :, top : top + height, left : left + width]
    if settings.channels == "BGR":
        return pixels.flip(1)
    if settings.channels == "grey":
        red, green, blue = (weight * pixels[:, place : place + 1] for place, weight in enumerate(_GREY))
        return red + green + blue
    return pixels


def _resized(frames: Tensor, settings: Preprocessing) -> Tensor:
    if tuple(frames.shape[-2:]) == settings.resized:
        return frames
    if settings.interpolation == "nearest":
        return nn.functional.interpolate(frames, settings.resized, mode="nearest")
    return nn.functional.interpolate(
        frames, settings.resized, mode=settings.interpolation, align_corners=False, antialias=True
    )


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return like.new_tensor(values).view(1, -1, 1, 1)


def two_logits(outputs: Tensor, meaning: Outputs) -> Tensor:
    """Return what K outputs (N, K) say of the target, as two logits (N, 2): "without" and "with"."""
    if meaning.reads == "softmax":
        logits = outputs.clamp_min(_SURE).log() if meaning.probabilities else outputs
        pair = [_together(logits, meaning.rivals), _together(logits, meaning.positive)]
        return torch.stack(pair[::-1] if meaning.reverse else pair, dim=1)
    z = outputs[:, meaning.positive[0]]
    if meaning.reads == "threshold":
        z = (z - meaning.threshold) / meaning.unit
    elif meaning.probabilities:
        z = z.clamp(_SURE, 1 - _SURE).logit()
    return torch.stack([torch.zeros_like(z), -z if meaning.reverse else z], dim=1)


def _together(logits: Tensor, indices: Sequence[int]) -> Tensor:
    return logits[:, indices[0]] if len(indices) == 1 else logits[:, list(indices)].logsumexp(dim=1)


class Adapter(nn.Module):
    """A classifier from elsewhere as all others are: frames (N, 3, 128, 128) in [0, 1] to two logits.

    Parameters
    ----------
    network : torch.nn.Module
        Pixels (N, C, h, w), as `prepare` gives them, to outputs (N, K).
    manifest : Manifest
        How it is fed, and what its outputs mean.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, manifest: Manifest) -> None:
        super().__init__()
        self.network = network
        self.manifest = manifest
        nothing = torch.zeros(())
        for name in ("mean", "std"):
            values = getattr(manifest.preprocessing, name)
            self.register_buffer(name, _column(values, nothing), persistent=False)
        rules = _rules(manifest)
        if rules is not None:
            self.decision = rules  # decides by the scores; the logits pass it by

    @property
    def digest(self) -> str:
        """The manifest's."""
        return self.manifest.digest

    @property
    def name(self) -> str:
        """What to call it."""
        return self.manifest.name or self.manifest.digest

    @property
    def fixed_label(self) -> int | None:
        """The label whose logit is 0 whatever a picture shows, as one output z gives (0, z); None where there is none."""
        return None if self.manifest.outputs.reads == "softmax" else 0

    def forward(self, frames: Tensor) -> Tensor:
        settings = self.manifest.preprocessing
        pixels = (
            _shaped(frames, settings) * settings.scale - self.mean
        ) / self.std  # `prepare`, with constants at hand
        outputs = self.network(pixels)
        return two_logits(outputs, self.manifest.outputs)


def _rules(manifest: Manifest) -> Decision | None:
    if manifest.rules is not None:
        rules, groups = manifest.rules.rules, manifest.rules.groups
    elif manifest.outputs.decides != 0.5:
        rules, groups = ((0.0, 0.0, 1.0, manifest.outputs.decides, 1.0, 0.0, 0.0, 1.0),), ()
    else:
        return None
    return Decision(torch.from_numpy(np.array(rules)), torch.from_numpy(np.array(groups, dtype=np.int64)))
