"""What Savani's two methods without a gradient share (Savani, White and Govindarajulu 2020): both change weights, put one
threshold behind them, and ask only how good the decisions are then.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.classifiers import find_layer
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import LabelledFaces, MitigationSettings
from fairsal_core.mitigation.layers import trace
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.thresholds import judged_cuts, usable_scores


class IntraProcessingSettings(MitigationSettings):
    """What each trial is judged on."""

    faces: int = Field(500, ge=4, description="most faces of the mitigation split that each trial is judged on")


def best_threshold(classifier: nn.Module, faces: LabelledFaces, search: Search) -> tuple[float, float]:
    """Return the threshold for everybody that a search would choose on these faces, and its quality."""
    cut, judgement = judged_cuts(usable_scores(classifier, faces), faces, search.worth)[0]
    return cut, quality(search.worth(judgement))


def quality(worth: tuple[bool, float, float]) -> float:
    """Return one number that sorts candidates as their worth does, but for what decides between equal ones.

    The paper's objective is the accuracy where the bias is below epsilon, and 0 elsewhere. It is highest for a classifier that says
    nearly the same of everybody where no other is fair enough, and has no slope; this is what all methods are chosen by.
    """
    accurate_enough, first, _ = worth
    return first if accurate_enough else first - 2


def some_of(faces: LabelledFaces, most: int, seed: int) -> LabelledFaces:
    """Return at most so many of the faces, drawn at random."""
    if len(faces) <= most:
        return faces
    rows = np.sort(np.random.default_rng(seed).choice(len(faces), most, replace=False))
    return LabelledFaces(faces.images[rows], faces.target[rows], faces.confounder[rows])


def weighted_layers(classifier: nn.Module, images: NDArray[np.uint8]) -> list[str]:
    """Return the layers that have weights of their own, in the order in which they compute."""
    layers = [
        layer.name
        for layer in trace(classifier, images)
        if list(find_layer(classifier, layer.name).parameters(recurse=False))
    ]
    if not layers:
        raise FairsalError("This classifier has no layer with weights of its own.")
    return layers


@torch.no_grad()
def scale_units(layer: nn.Module, factors: Tensor) -> None:
    """Multiply the weights of each unit of a layer, and its bias, by the unit's factor (units,), in place."""
    for parameter in layer.parameters(recurse=False):
        parameter.mul_(factors.to(parameter).view(-1, *[1] * (parameter.ndim - 1)))


def units_of(layer: nn.Module) -> int:
    """Return how many units a layer has: the first axis of its weights.

    Raises
    ------
    FairsalError
        If it has none.
    """
    weights = next(layer.parameters(recurse=False), None)
    if weights is None:
        raise FairsalError(f"A layer such as {layer} has no weights of its own to change; choose another.")
    return weights.shape[0]


@contextmanager
def kept_weights(layer: nn.Module) -> Iterator[None]:
    """Give a layer its weights back afterwards."""
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    try:
        yield
    finally:
        layer.load_state_dict(before)
