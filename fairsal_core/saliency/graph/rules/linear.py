"""Layers with weights: z+ in convolutions, epsilon in linear layers.

Biases are left out, so that all relevance goes on to the inputs.

A convolution of a channel each (depthwise) has nine weights to a sum, often none of them positive: z+ then has nobody to
give the relevance to, and zennit's loses it. Here the negative contributions share it, and where there is none at all it is
the bias's. (Epsilon, which keeps it too, divides by sums of nine that cancel: on untrained networks relevance grew a
millionfold.)
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fairsal_core.saliency.graph.rules.base import STABILISER, Call, Rule, Shares, pulled_back, stabilised

Pairs = Sequence[tuple[Tensor, Tensor]]  # inputs and the weights they meet


def convolved(call: Call, relevance: Tensor) -> Shares:
    """Return R_x = x+ (w+)^T (R / z+) + x- (w-)^T (R / z+), with z+ = w+ x+ + w- x- (zennit's ZPlus).

    Where z+ is 0 the negative contributions share, and what neither can take is the bias's.
    """
    (value,) = call.values
    weight = call.step.args[1]
    shares = torch.zeros_like(value)
    for sign in (1, -1):
        pairs = _signed(value, sign * weight)
        share, relevance = _shared_by(call, pairs, relevance)
        shares = shares + share
        if not relevance.any():
            break
    return Shares([shares], relevance)


def _shared_by(call: Call, pairs: Pairs, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shares of what contributes by these pairs, and the relevance that finds no contribution."""
    parts = [x for x, _ in pairs]
    left = relevance

    def ratio(output: Tensor) -> Tensor:
        nonlocal left
        left = torch.where(output > 0, 0, relevance)
        return (relevance - left) / stabilised(output, STABILISER)

    pulled = pulled_back(lambda given: _summed(call, given, pairs), parts, ratio)
    return _weighed(parts, pulled), left


def _signed(value: Tensor, weight: Tensor) -> Pairs:
    """Return the pairs that contribute positively; behind a ReLU there is one only."""
    pairs = [(value.clamp(min=0), weight.clamp(min=0)), (value.clamp(max=0), weight.clamp(max=0))]
    return pairs if (value < 0).any() else pairs[:1]


def _summed(call: Call, given: Sequence[Tensor], pairs: Pairs) -> Tensor:
    step = call.step
    weights = [weight for _, weight in pairs]
    outputs = [step.call(x, w, None, *step.args[3:], **step.kwargs) for x, w in zip(given, weights, strict=True)]
    total: Tensor = sum(outputs[1:], start=outputs[0])
    return total


def _weighed(parts: Sequence[Tensor], pulled: Sequence[Tensor | None]) -> Tensor:
    shares = [x * one for x, one in zip(parts, pulled, strict=True) if one is not None]
    return sum(shares[1:], start=shares[0])


def multiplied_in(call: Call, relevance: Tensor) -> Shares:
    """Return R_x = x W^T (R / (W x)), the epsilon rule, of a linear layer."""
    value, weight, bias = call.values[0], call.step.args[1], (*call.step.args, None)[2]
    output = call.output if bias is None else call.output - bias
    ratio = relevance / stabilised(output, call.epsilon)
    return Shares([value * _product(ratio, weight)])


def _product(ratio: Tensor, weight: Tensor) -> Tensor:
    """Return ratio @ weight, without the rows and columns of nothing: no relevance goes to queries, keys and unread tokens."""
    flat = ratio.reshape(-1, ratio.shape[-1])
    there = flat != 0
    rows, columns = there.any(dim=1).nonzero()[:, 0], there.any(dim=0).nonzero()[:, 0]
    if len(rows) * len(columns) > 0.9 * flat.numel():
        return ratio @ weight
    result = flat.new_zeros(len(flat), weight.shape[1])
    result[rows] = flat[rows][:, columns] @ weight[columns]
    return result.view(*ratio.shape[:-1], weight.shape[1])


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), convolved),
    "linear": multiplied_in,
}
