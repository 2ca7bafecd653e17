"""What rules are made of: passing on, moving to where it came from, and sharing by contribution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fairsal_core.saliency.graph.program import Step, filled_in

STABILISER = 1e-6  # zennit's, of all rules but epsilon


@dataclass(frozen=True)
class Call:
    """A step with its values.

    Attributes
    ----------
    step : Step
        What was done.
    values : tuple
        The values it took that depend on the picture, in the order of `step.inputs`.
    held : tuple of bool
        Whether each of them is a gate or weights of attention, which take no relevance where they multiply.
    output : tensor or tuple of tensors
        What it gave.
    epsilon : float
        The epsilon rule's stabiliser.
    """

    step: Step
    values: tuple[Any, ...]
    held: tuple[bool, ...]
    output: Any
    epsilon: float

    def again(self, values: Sequence[Any]) -> Any:
        """Do the operation with other values."""
        given = iter(values)
        args = filled_in(self.step.args, lambda ref: next(given))
        kwargs = filled_in(dict(self.step.kwargs), lambda ref: next(given))
        return self.step.call(*args, **kwargs)


class Shares(NamedTuple):
    """Relevance of each of a step's inputs, None for none; and what its constants keep, pictures first."""

    inputs: Sequence[Tensor | None]
    constants: Tensor | None = None


Rule = Callable[[Call, Any], Shares]
"""(call, relevance of its output: a tensor, or for several outputs a list with None for none) -> shares."""


def stabilised(values: Tensor, epsilon: float) -> Tensor:
    """Return values moved away from 0 by epsilon, as zennit does: 0 upwards."""
    return values + torch.where(values < 0, -epsilon, epsilon)


def pulled_back(
    function: Callable[[Sequence[Tensor]], Any], values: Sequence[Tensor], cotangent: Callable[[Any], Any]
) -> list[Tensor | None]:
    """Return J^T c at each of the values, for the Jacobian J of a function and c = cotangent(what it gives)."""
    with torch.enable_grad():
        variables = [value.detach().requires_grad_() for value in values]
        output = function(variables)
        given = [output] if isinstance(output, Tensor) else list(output)
        outward = cotangent(output)
        pairs = [
            (one, other)
            for one, other in zip(given, [outward] if isinstance(output, Tensor) else outward, strict=True)
            if other is not None and one.requires_grad
        ]
        if not pairs:
            return [None] * len(values)
        outputs, outward = zip(*pairs, strict=True)
        return list(torch.autograd.grad(outputs, variables, outward, allow_unused=True))


def total(relevance: Any) -> Tensor:
    """Return relevance flattened per position of the first axis, (K,), summed over several outputs."""
    if isinstance(relevance, Tensor):
        return relevance.reshape(relevance.shape[0], -1).sum(dim=1)
    return torch.stack([total(each) for each in relevance if each is not None]).sum(dim=0)


def passed(call: Call, relevance: Tensor) -> Shares:
    """Return the relevance as it is, to the only input; where that was repeated to fit, summed over the repetitions."""
    (value,) = call.values
    return Shares([relevance.sum_to_size(value.shape)])


def moved(call: Call, relevance: Any) -> Shares:
    """Return each piece of relevance where it came from: R_x = J^T R, for maps that pick, order, repeat or average."""
    floating = [isinstance(value, Tensor) and value.is_floating_point() for value in call.values]

    def again(variables: Sequence[Tensor]) -> Any:
        given = iter(variables)
        return call.again([next(given) if may else value for may, value in zip(floating, call.values, strict=True)])

    variables = [value for may, value in zip(floating, call.values, strict=True) if may]
    found = iter(pulled_back(again, variables, lambda output: relevance))
    return Shares([next(found) if may else None for may in floating])


def shared(call: Call, relevance: Tensor) -> Shares:
    """Return relevance in proportion to what each input adds to a sum: R_x = x J^T (R / z)."""
    ratio = relevance / stabilised(call.output, STABILISER)
    pulled = pulled_back(call.again, call.values, lambda output: ratio)
    return Shares([None if one is None else value * one for value, one in zip(call.values, pulled, strict=True)])
