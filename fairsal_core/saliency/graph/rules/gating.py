"""Products: a gate, the weights of attention or a constant scale what passes, and take no relevance themselves.

Held are the values that come from a sigmoid, a softmax or the like, the moving about of those and the choice between them
(exporters write `where(isnan(p), 0, p)`); where a product has none, the smaller factor, being repeated to fit, is the gate.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from fairsal_core.errors import FairsalError
from fairsal_core.saliency.graph.program import Program, Ref
from fairsal_core.saliency.graph.rules import moving
from fairsal_core.saliency.graph.rules.base import STABILISER, Call, Rule, Shares, pulled_back, stabilised

_GATES = ("sigmoid", "hardsigmoid", "softmax", "_softmax", "tanh", "relu6", "hardtanh")
_THROUGH = frozenset((*moving.RULES, "to", "_to_copy", "isnan"))
_SCALED = frozenset(("add", "sub", "rsub", "mul", "div", "clamp"))


def held_values(program: Program) -> set[str]:
    """Return the names of the values that are gates."""
    held: set[str] = set()
    for step in program.steps:
        is_gate = step.op in _GATES
        goes_on = step.op in _THROUGH or (step.op in _SCALED and len(step.inputs) == 1)
        if is_gate or (goes_on and step.inputs and held.issuperset(step.inputs)):
            held.add(step.name)
    return held


def multiplied(call: Call, relevance: Tensor) -> Shares:
    """Return all relevance of a product to the factor that is no gate; to a number times a constant, all of it."""
    kept = _signal(call)
    return Shares(
        [relevance.sum_to_size(value.shape) if place == kept else None for place, value in enumerate(call.values)]
    )


def multiplied_out(call: Call, relevance: Tensor) -> Shares:
    """Return all relevance of an outer product with a constant to the other factor."""
    (_,) = call.values  # two are refused
    return Shares([relevance.sum(dim=1 if isinstance(call.step.args[0], Ref) else 0)])


def divided(call: Call, relevance: Tensor) -> Shares:
    """Return all relevance of a quotient to the numerator: the denominator, as a norm's, is held."""
    if not call.step.args or call.step.inputs[0] != getattr(call.step.args[0], "name", None):
        raise FairsalError("LRP has no rule for a constant divided by features, which this network uses.")
    return Shares([relevance.sum_to_size(call.values[0].shape), *[None] * (len(call.values) - 1)])


def scaled_and_added(call: Call, relevance: Tensor) -> Shares:
    """Return all relevance of c + a b to b: c and a are constants there, as in a norm of responses."""
    if len(call.values) != 1:
        raise FairsalError("LRP has no rule for the operation 'addcmul' of more than one part of the network.")
    return Shares([relevance.sum_to_size(call.values[0].shape)])


def weighed(call: Call, relevance: Tensor) -> Shares:
    """Return relevance of a matrix product by share, R_x = x J^T (R / z), to what is no gate, the others being held."""
    kept = _signal(call)
    values = list(call.values)

    def again(variables: list[Tensor]) -> Tensor:
        given = [variables[0] if place == kept else value for place, value in enumerate(values)]
        product: Tensor = call.again(given)
        return product

    ratio = relevance / stabilised(call.output, STABILISER)
    (pulled,) = pulled_back(again, [values[kept]], lambda output: ratio)  # type: ignore[arg-type]
    share = None if pulled is None else values[kept] * pulled
    return Shares([share if place == kept else None for place in range(len(values))])


def attended(call: Call, relevance: Tensor) -> Shares:
    """Return relevance of attention to its values alone, R_v = v A^T (R / z), the weights A being held."""
    query, key, value = call.values[:3]
    options = dict(zip(("attn_mask", "dropout_p", "is_causal"), call.step.args[3:], strict=False)) | {
        name: option for name, option in call.step.kwargs.items() if name in ("attn_mask", "is_causal", "scale")
    }
    if options.get("is_causal") or len(call.values) != 3 or key.shape[:-2] != query.shape[:-2]:
        raise FairsalError("LRP has no rule for attention that is causal, masked by the picture or grouped.")
    scale = options.get("scale") or 1 / math.sqrt(query.shape[-1])
    scores = query @ key.transpose(-2, -1) * scale
    mask = options.get("attn_mask")
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    ratio = relevance / stabilised(call.output, STABILISER)
    return Shares([None, None, value * (scores.softmax(dim=-1).transpose(-2, -1) @ ratio)])


def _signal(call: Call) -> int:
    """Return which value of a product is no gate."""
    if len(call.values) == 1:
        return 0
    free = [place for place, is_held in enumerate(call.held) if not is_held]
    if len(free) == 1:
        return free[0]
    sizes = [value.numel() for value in call.values]
    if len(sizes) == 2 and sizes[0] != sizes[1] and call.step.op == "mul":
        return sizes.index(max(sizes))
    raise FairsalError(
        f"LRP has no rule for the operation '{call.step.op}' of two parts of the network of which neither is a gate."
    )


RULES: Mapping[str, Rule] = {
    "mul": multiplied,
    "multiply": multiplied,
    "outer": multiplied_out,
    "div": divided,
    "addcmul": scaled_and_added,
    **dict.fromkeys(("matmul", "bmm", "mm", "mv", "einsum"), weighed),
    "scaled_dot_product_attention": attended,
}
