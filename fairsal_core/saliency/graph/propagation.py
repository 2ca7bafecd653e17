"""Forward through a program with every value kept, and back with a rule for each step."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from fairsal_core.errors import FairsalError
from fairsal_core.saliency.graph.program import Program, Ref, Step, filled_in
from fairsal_core.saliency.graph.rules import PICTURE_RULES, RULES, Call, Rule
from fairsal_core.saliency.graph.rules.gating import held_values

Values = dict[str, Any]


def forward(program: Program, pictures: Tensor) -> Values:
    """Return every value of a program by name; the logits are those of `program.result`."""
    values: Values = {program.source: pictures}
    with torch.no_grad():
        for step in program.steps:
            values[step.name] = step.call(*_given(step.args, values), **_given(dict(step.kwargs), values))
    return values


def chosen_rules(program: Program) -> dict[str, Rule]:
    """Return the rule of each step that has one, by name.

    As long as only units, place and size of the picture have changed, a step is the picture's own: other rules hold there.
    """
    pictures = {program.source}
    rules = {}
    for step in program.steps:
        rule = PICTURE_RULES.get(step.op) if pictures.issuperset(step.inputs) else None
        if rule:
            pictures.add(step.name)
        rule = rule or RULES.get(step.op)
        if rule:
            rules[step.name] = rule
    return rules


def backward(program: Program, values: Values, start: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Hand relevance back from the logits to the pictures; values are let go of on the way.

    Parameters
    ----------
    program : Program
        What was computed.
    values : dict
        By `forward`; emptied.
    start : tensor, (N, C)
        Relevance of the logits.
    epsilon : float
        The epsilon rule's stabiliser.

    Returns
    -------
    relevance : tensor, (N, 3, H, W)
        Of the pixels.
    constants : tensor, (N,)
        Of what is added to the picture or its features whatever it shows: class token, position embedding, constants.

    Raises
    ------
    FairsalError
        If relevance reaches an operation that has no rule; it is named.
    """
    rules, held = chosen_rules(program), held_values(program)
    relevance: dict[str, Any] = {program.result: start}
    constants = start.new_zeros(len(start))
    for step in reversed(program.steps):
        own = relevance.pop(step.name, None)
        output = values.pop(step.name)
        if own is None:
            continue
        if step.op == "getitem":
            _add_piece(relevance, step, own, values)
            continue
        rule = rules.get(step.name)
        if rule is None:
            raise FairsalError(
                f"LRP has no rule for the operation '{step.op}', which this network uses; choose Integrated Gradients "
                "or occlusion."
            )
        call = Call(
            step,
            values=tuple(values[name] for name in step.inputs),
            held=tuple(name in held for name in step.inputs),
            output=output,
            epsilon=epsilon,
        )
        shares, rest = rule(call, own)
        for name, share in zip(step.inputs, shares, strict=True):
            if share is not None:
                relevance[name] = relevance[name] + share if name in relevance else share
        if rest is not None:
            constants = constants + per_picture(rest, len(start))
    return relevance.get(program.source, torch.zeros_like(values[program.source])), constants


def per_picture(amounts: Tensor, count: int) -> Tensor:
    """Return the sum (count,) of each picture's part of a tensor whose first axis is pictures, or pictures x pieces."""
    if amounts.ndim and amounts.shape[0] % count == 0:
        return amounts.reshape(count, -1).sum(dim=1)
    return amounts.sum().expand(count) / count


def _given(arguments: Any, values: Mapping[str, Any]) -> Any:
    return filled_in(arguments, lambda ref: values[ref.name])


def _add_piece(relevance: dict[str, Any], step: Step, own: Tensor, values: Values) -> None:
    """Put the relevance of one of several outputs beside that of the others."""
    source, index = step.args
    assert isinstance(source, Ref)
    pieces = relevance.setdefault(source.name, [None] * len(values[source.name]))
    pieces[index] = own if pieces[index] is None else pieces[index] + own
