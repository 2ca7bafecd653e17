"""LRP of any network: rules for the operations it consists of, not for the modules it was written with.

zennit's rules belong to modules; a residual sum or an activation that is written as a function passes them by, and the map
is wrong without a word. Here the network is exported to the operations it does, and each has a rule (`saliency/graph`):
z+ in convolutions and epsilon in linear layers, as zennit's `EpsilonPlus`, whose maps these are where zennit knows every
part of a network.
"""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from fairsal_core.errors import FairsalError
from fairsal_core.saliency.base import Attribute, Attribution, ExplainerSettings, chosen
from fairsal_core.saliency.graph.program import Program, exported
from fairsal_core.saliency.graph.propagation import backward, forward

MOST_DRIFT = 1e-4  # relative to the largest logit


class LrpGraphSettings(ExplainerSettings):
    """How the rules are stabilised."""

    epsilon: float = Field(1e-6, gt=0, le=1, description="the epsilon rule's stabiliser")


def prepare_lrp_graph(network: nn.Module, settings: LrpGraphSettings, sample: Tensor) -> Attribute:
    """Return a function that gives signed relevance, summed over channels, and how much of it was kept.

    `relevance_kept` is the share of the logit that arrives at the pixels or at constants (class token, position embedding);
    `relevance_of_constants` is the constants' part of it.

    Raises
    ------
    FairsalError
        If the network cannot be exported, its export computes something else, or it does something that has no rule.
    """
    programs: list[tuple[int, Program]] = []
    at_once = _at_once(network)

    def attribute(images: Tensor, targets: Tensor, limit: int) -> Attribution:
        size = at_once or len(images)
        parts = [part(*some) for some in zip(images.split(size), targets.split(size), strict=True)]
        diagnostics = {name: torch.cat([each.diagnostics[name] for each in parts]) for name in parts[0].diagnostics}
        return Attribution(torch.cat([each.relevance for each in parts]), diagnostics)

    def part(images: Tensor, targets: Tensor) -> Attribution:
        if at_once:
            images = _padded(images, at_once)
        if not programs or programs[0][0] < len(images):
            programs[:] = [(len(images), checked_program(network, images))]
        size, program = programs[0]
        values = forward(program, _padded(images, size))
        count = len(targets)
        logits = values[program.result][:count]
        start = functional.one_hot(_padded(targets, size), logits.shape[1]).to(logits)
        shares, constants = backward(program, values, start, settings.epsilon)
        shares, constants = shares[:count], constants[:count]
        relevance = shares.sum(dim=1) * chosen(logits, targets)[:, None, None]
        kept = shares.sum(dim=(1, 2, 3)) + constants
        return Attribution(relevance, {"relevance_kept": kept, "relevance_of_constants": constants})

    return attribute


def _at_once(network: nn.Module) -> int:
    """Return how many pictures a network insists on, as a graph that was exported for so many does; 0 for any number."""
    return next((each for module in network.modules() if (each := getattr(module, "pictures_at_once", 0))), 0)


def checked_program(network: nn.Module, images: Tensor) -> Program:
    """Return the program of a network for as many images, after comparing what the two give.

    Raises
    ------
    FairsalError
        If that differs, or there is no program.
    """
    program = exported(network, images)
    with torch.no_grad():
        before = network(images)
        after = forward(program, images)[program.result]
    drift = float((after - before).abs().max() / before.abs().max().clamp(min=1e-12))
    if not drift < MOST_DRIFT:
        raise FairsalError(f"LRP cannot take this network apart: its parts give other logits, by {drift:.1e}.")
    return program


def _padded(rows: Tensor, size: int) -> Tensor:
    """Return as many rows as the program is for: the last one repeated."""
    return torch.cat([rows, rows[-1:].expand(size - len(rows), *rows.shape[1:])]) if len(rows) < size else rows
