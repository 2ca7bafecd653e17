"""The training pass of `three_conv` on a CPU: the same numbers as its layers give, in less time.

A block (convolution, dropout, batch norm, 2 x 2 max-pooling, leaky ReLU) spends its time in pooling, in drawing dropout and in
passing over feature maps that no cache holds. Three things here are different, none of them in what is computed:

- *Folded*: the four pixels of a pooling window become four channels, of the block's input and of the convolution's output
  alike (a 5 x 5 convolution is then a 3 x 3 one with more channels). Pooling is the largest of four planes.
- *In parts*: all steps but the last are done for a few images at a time, while their maps are in the cache, and several parts
  side by side, each in a thread of its own: the steps are too short to be shared among threads one by one.
- *Pooled before it is normalised*: batch norm with a positive weight keeps the order of what it normalises, so only a quarter
  has to be; where the weight is negative, the convolution's sign is turned.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, leaky_relu_, pad, pixel_unshuffle

from fairsal_core.classifiers.dropout import least_kept
from fairsal_core.classifiers.side_by_side import side_by_side

_PART = 16  # images at a time, at most: the maps of more fit no cache, and of fewer each step has too little to do
_PARTS = 4  # at least, of a small batch, so that several threads have something to do
_SLOPE = 0.1


def folded_pass(network: nn.Module, images: Tensor) -> Tensor:
    """Return the logits (N, 2) of `three_conv` in training mode, with a gradient to all weights.

    Parameters
    ----------
    network : torch.nn.Module
        What `three_conv` returns. The running statistics of its batch norms are updated.
    images : tensor, (N, 3, S, S)
        In [0, 1], S a multiple of 8. On other devices than a CPU the network is simply called.
    """
    if images.device.type != "cpu":
        return cast(Tensor, network(images))
    precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else images.dtype
    normalise, *layers = cast(nn.Sequential, network)
    seeds = np.random.SeedSequence(int(torch.randint(2**62, ())))
    features, before = images, normalise
    while isinstance(layers[0], nn.Conv2d):
        block, layers = layers[:5], layers[5:]
        features = _run_block(block, features, before, precision, seeds)
        before = nn.Identity()
    for layer in layers:
        features = layer(features)
    return features


def _run_block(
    block: Sequence[nn.Module],
    images: Tensor,
    before: nn.Module,
    precision: torch.dtype,
    seeds: np.random.SeedSequence,
) -> Tensor:
    convolution, dropout, norm = cast(tuple[nn.Conv2d, nn.Dropout, nn.BatchNorm2d], tuple(block[:3]))
    assert convolution.bias is not None and norm.running_mean is not None and norm.running_var is not None
    sign = torch.where(norm.weight.detach() < 0, -1.0, 1.0)
    scale = sign / (1 - dropout.p)
    weight = fold_kernel(convolution.weight * scale.view(-1, 1, 1, 1)).to(precision)
    bias = (convolution.bias * scale).repeat(4).to(precision)
    result, mean, variance = _Block.apply(
        images,
        weight.contiguous(memory_format=torch.channels_last),
        bias,
        norm.weight * sign,
        norm.bias,
        before,
        norm.eps,
        dropout.p,
        seeds,
    )
    with torch.no_grad():
        count = images[:, 0].numel()
        assert norm.momentum is not None and norm.num_batches_tracked is not None
        norm.running_mean.lerp_(mean * sign, norm.momentum)
        norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
        norm.num_batches_tracked += 1
    return cast(Tensor, result)


def fold_kernel(weight: Tensor) -> Tensor:
    """Return the kernel (4 O, 4 I, 3, 3) that does to folded images what `weight` (O, I, 5, 5) does to images.

    Its input and output channels are the pixels of a window, row by row, each with the I or O channels.
    """
    shifted = [pad(weight, (right, 1 - right, down, 1 - down)) for down in (0, 1) for right in (0, 1)]
    folded = pixel_unshuffle(torch.cat(shifted), 2)
    return folded.view(len(folded), -1, 4, *folded.shape[2:]).transpose(1, 2).flatten(1, 2)


def fold(images: Tensor, out: Tensor) -> Tensor:
    """Write images (N, C, 2 H, 2 W) into `out` (N, 4 C, H, W), channels last: the pixels of a window, each with the C channels."""
    count, channels, height, width = images.shape
    last = images.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    windows = last.view(count, height // 2, 2, width // 2, 2, channels).transpose(2, 3)
    out.permute(0, 2, 3, 1).view(windows.shape).copy_(windows)
    return out


def unfold(folded: Tensor, out: Tensor) -> Tensor:
    """Write what `fold` makes of images back into `out`, images (N, C, 2 H, 2 W)."""
    count, channels, height, width = out.shape
    windows = folded.permute(0, 2, 3, 1).view(count, height // 2, width // 2, 2, 2, channels)
    out.view(count, channels, height // 2, 2, width // 2, 2).copy_(windows.permute(0, 5, 1, 3, 2, 4))
    return out


class _Block(torch.autograd.Function):
    """A block of `three_conv`, from images (N, I, 2 H, 2 W) to (N, O, H, W), with its batch norm's mean and variance (O,)."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor,
        gamma: Tensor,
        beta: Tensor,
        before: nn.Module,
        epsilon: float,
        dropped: float,
        seeds: np.random.SeedSequence,
    ) -> tuple[Tensor, Tensor, Tensor]:
        count, channels, height, width = len(images), len(gamma), images.shape[2] // 2, images.shape[3] // 2
        folded = torch.empty(
            (count, weight.shape[1], height, width), dtype=weight.dtype, memory_format=torch.channels_last
        )
        windows = weight.new_empty((count, 4, channels, height, width))
        largest = weight.new_empty((count, channels, height, width))
        parts = _parts(count)

        def run(some: slice, own: np.random.SeedSequence) -> tuple[Tensor, Tensor]:
            part = windows[some]
            part.copy_(conv2d(fold(before(images[some]), folded[some]), weight, bias, padding=1).view_as(part))
            _drop(part, dropped, np.random.Generator(np.random.SFC64(own)))
            torch.maximum(part[:, 0], part[:, 1], out=largest[some])
            torch.maximum(largest[some], torch.maximum(part[:, 2], part[:, 3]), out=largest[some])
            return _moments(part)

        sums, squares = _totals(side_by_side(run, parts, seeds.spawn(len(parts))))
        mean, variance = _mean_and_variance(sums, squares, windows[:, :, 0].numel())
        deviation = (variance + epsilon).sqrt()
        normalised = (largest - _by_channel(mean)).mul_(_by_channel(gamma / deviation)).add_(_by_channel(beta))
        result = leaky_relu_(normalised, _SLOPE).to(weight.dtype)
        ctx.save_for_backward(folded, weight, windows, largest, result, gamma, mean, deviation)
        ctx.mark_non_differentiable(mean, variance)
        return result, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        folded, weight, windows, largest, result, gamma, mean, deviation = ctx.saved_tensors
        activated = torch.ops.aten.leaky_relu_backward(gradient, result, _SLOPE, True)
        for_beta = activated.sum((0, 2, 3), dtype=torch.float32)
        for_gamma = (largest - _by_channel(mean)).mul_(activated).sum((0, 2, 3)) / deviation
        rate, total = gamma / deviation, windows[:, :, 0].numel()
        parts = _parts(len(folded))
        arriving = (activated * _by_channel(rate)).to(weight.dtype)
        # Batch norm's gradient, of a map x: rate * (what arrives - its mean - (x - mean) / deviation * for_gamma / total).
        slope = -rate * for_gamma / (deviation * total)
        constant = -rate * for_beta / total - slope * mean
        slope, constant = (_by_channel(value).to(weight.dtype) for value in (slope, constant))
        images_too = ctx.needs_input_grad[0]
        for_images = weight.new_empty((len(folded), folded.shape[1] // 4, *(2 * side for side in folded.shape[2:])))

        def run(some: slice) -> tuple[Tensor, Tensor]:
            part = windows[some]
            inward = (part * slope).add_(constant)
            _give_to_largest(inward, part, largest[some], arriving[some])
            inward *= torch.ne(part, 0, out=torch.empty_like(part))  # dropped: nothing else is exactly 0
            images_part, weight_part, bias_part = torch.ops.aten.convolution_backward(
                _channels_last(inward),
                folded[some],
                weight,
                [len(weight)],
                [1, 1],
                [1, 1],
                [1, 1],
                False,
                [0, 0],
                1,
                [images_too, True, True],
            )
            if images_too:
                unfold(images_part, for_images[some])
            return weight_part.float(), bias_part.float()

        for_weight, for_bias = _totals(side_by_side(run, parts))
        return (
            for_images if images_too else None,
            for_weight.to(weight.dtype),
            for_bias.to(weight.dtype),
            for_gamma,
            for_beta,
            *[None] * 4,
        )


def _parts(count: int) -> list[slice]:
    """Return the parts of so many images: the same with any number of threads, as each draws its own dropout."""
    size = min(max(count // _PARTS, 1), _PART)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _totals(of_parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return what two tensors of each part add up to, in the order of the parts."""
    first, second = (torch.stack(tensors).sum(0) for tensors in zip(*of_parts, strict=True))
    return first, second


def _by_channel(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1)


def _drop(maps: Tensor, share: float, generator: np.random.Generator) -> None:
    """Set a share of the elements to 0, in place; 16 random bits an element, so the share is met to 1/65536.

    Comparing into integers and clearing bits is much faster than booleans are, which are not vectorised.
    """
    words = generator.integers(-(2**63), 2**63, -(-maps.numel() // 4), dtype=np.int64)
    kept = torch.from_numpy(words).view(torch.int16)[: maps.numel()].view(maps.shape)
    kept.ge_(least_kept(share))
    if maps.dtype == torch.bfloat16:
        maps.view(torch.int16).bitwise_and_(kept.neg_())
    else:
        maps.mul_(kept)


def _channels_last(windows: Tensor) -> Tensor:
    """Return maps (N, 4, O, H, W) as (N, 4 O, H, W), channels last.

    One pixel of the windows after the other: a copy that gathers all 4 O channels at once reads so many rows whose addresses
    differ by the same power of two that they drive each other out of the cache, and takes four times as long.
    """
    count, pixels, channels, height, width = windows.shape
    last = windows.new_empty((count, height, width, pixels, channels))
    for pixel in range(pixels):
        last[:, :, :, pixel].copy_(windows[:, pixel].permute(0, 2, 3, 1))
    return last.flatten(3).permute(0, 3, 1, 2)


def _moments(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums (C,) of maps (N, 4, C, H, W), and of their squares: in float32 along a map, in float64 over maps."""
    rows = windows.flatten(3)
    sums, norms = rows.sum(3, dtype=torch.float32), torch.linalg.vector_norm(rows, dim=3, dtype=torch.float32)
    return sums.double().sum((0, 1)), norms.double().square().sum((0, 1))


def _mean_and_variance(sums: Tensor, squares: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return both (C,), in float32, of so many values. Of what dropout has been over, neither is small beside the other."""
    mean = sums / count
    return mean.float(), (squares / count - mean.square()).clamp_(min=0).float()


def _give_to_largest(inward: Tensor, windows: Tensor, largest: Tensor, arriving: Tensor) -> None:
    """Add what arrives at each window to its largest pixel, the first of them in a tie, as `torch.nn.MaxPool2d` does."""
    share = torch.empty_like(arriving)
    for pixel in range(4):
        torch.eq(windows[:, pixel], largest, out=share)
        share *= arriving
        inward[:, pixel] += share
        arriving -= share
