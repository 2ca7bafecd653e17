"""What the group-robust methods share: draws of faces by class or group, and one training whose every epoch is a candidate."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import cell_numbers
from fairsal_core.mitigation.base import Applied, Batch, ChooseBy, Faces, LabelledFaces, chosen_by
from fairsal_core.mitigation.features import last_layer_of, with_last_layer
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.tuning import Order, TuningSettings, classification_loss, logits_of, tune
from fairsal_core.progress import Progress, silent

Numbers = NDArray[np.int64]
_FEWEST = 2  # of a class or group: what one face shows is that face
_GROUPS = (
    "with the target and the confounder",
    "with the target and without the confounder",
    "without the target and with the confounder",
    "with neither the target nor the confounder",
)
_CLASSES = ("with the target", "without the target")


class RobustSettings(TuningSettings):
    """How long, how fast and where a group-robust method learns."""

    choose_by: ChooseBy = chosen_by("worst_group")
    trained: Literal["all_layers", "last_layer"] = Field(
        "all_layers", description="what learns; with last_layer features are computed once"
    )

    @property
    def on_features(self) -> bool:
        """Whether it learns the last layer alone, from what goes into it."""
        return self.trained == "last_layer"


@dataclass(frozen=True)
class Candidate:
    """A way to go on training: its settings, for the trace; which faces an epoch goes through; the loss of a batch's logits."""

    settings: Mapping[str, Any]
    order: Order
    loss: Callable[[Tensor, Batch], Tensor] = lambda logits, batch: classification_loss(logits, batch.target)


@dataclass(frozen=True)
class Learning:
    """A network, or its last layer alone, with the faces it learns from and is judged on."""

    network: nn.Module
    fit: Faces
    search: Search


def go_on_training(
    classifier: nn.Module,
    sets: tuple[LabelledFaces, LabelledFaces],
    settings: RobustSettings,
    candidates: Callable[[Learning], Iterable[Candidate]],
    *,
    seed: int,
    progress: Progress = silent,
) -> Applied:
    """Return the best of what a classifier becomes by training on, each epoch of each candidate being one.

    Parameters
    ----------
    classifier : torch.nn.Module
        Where all candidates start from.
    sets : two LabelledFaces
        Those to learn from, and those to choose on.
    settings : RobustSettings
        How long, how fast, and whether the last layer alone.
    candidates : callable
        Gives them one after the other, so that a later one may depend on how earlier ones did.
    """
    fit, validation = sets
    if settings.trained == "all_layers":
        learning = Learning(classifier, fit, Search(classifier, validation, settings))
    else:
        view = last_layer_of(classifier, fit, validation)
        learning = Learning(view.layer, view.fit, Search(view.layer, view.validation, settings))
    for candidate in candidates(learning):
        _train(learning, candidate, settings, seed, progress)
    trained, _, trace = learning.search.outcome()
    if settings.trained == "last_layer":
        trained = with_last_layer(classifier, cast(nn.Linear, trained), fit.images)
    return Applied(trained.eval(), trace)


def _train(learning: Learning, candidate: Candidate, settings: RobustSettings, seed: int, progress: Progress) -> None:
    network = copy.deepcopy(learning.network)

    def step(batch: Batch) -> Tensor:
        loss = candidate.loss(logits_of(network, batch.images), batch)
        loss.backward()
        return loss.detach()

    def epoch_ends(epoch: int) -> None:
        learning.search.consider({**candidate.settings, "epoch": epoch}, network)

    try:
        tune(
            network,
            learning.fit,
            settings,
            step,
            seed=seed,
            order=candidate.order,
            epoch_ends=epoch_ends,
            progress=progress,
        )
    except FairsalError as error:
        learning.search.failed(dict(candidate.settings), error)


def group_numbers(faces: Faces, method: str) -> Numbers:
    """Return the group 0 to 3 of each face, target by confounder.

    Raises
    ------
    FairsalError
        If one of the four groups has fewer than two faces.
    """
    return _checked(cell_numbers(faces.target, faces.confounder), _GROUPS, method)


def class_numbers(faces: Faces, method: str) -> Numbers:
    """Return the class of each face, 0 with the target and 1 without.

    Raises
    ------
    FairsalError
        If one of them has fewer than two faces.
    """
    return _checked((~faces.target).astype(np.int64), _CLASSES, method)


def _checked(numbers: Numbers, names: tuple[str, ...], method: str) -> Numbers:
    sizes = np.bincount(numbers, minlength=len(names))
    for size, name in zip(sizes, names, strict=True):
        if size < _FEWEST:
            raise FairsalError(f"{method} needs at least {_FEWEST} faces {name} to learn from; there are {size}.")
    return numbers


def drawn_equally(numbers: Numbers) -> Order:
    """Return the order that draws as many faces as there are, with replacement, each class or group as likely as another.

    A face of a group with n faces comes with probability 1 / (G n): reweighting as Idrissi et al. (2022) do it.
    """
    return drawn_by(1.0 / np.bincount(numbers)[numbers])


def drawn_by(weights: NDArray[np.float64]) -> Order:
    """Return the order that draws as many faces as there are, with replacement, by weights (N,)."""
    chances = torch.from_numpy(weights)
    return lambda generator: torch.multinomial(chances, len(chances), replacement=True, generator=generator)


def subsampled(numbers: Numbers, seed: int) -> Order:
    """Return the order that goes through as many faces of each class or group as the smallest has, the same in each epoch."""
    rows = torch.from_numpy(balanced_rows(numbers, np.random.default_rng(seed)))
    return lambda generator: rows[torch.randperm(len(rows), generator=generator)]


def balanced_rows(numbers: Numbers, generator: np.random.Generator) -> Numbers:
    """Return rows with as many of each class or group, drawn without replacement, as the smallest has; in order."""
    smallest = np.bincount(numbers).min()
    drawn = [
        generator.choice(np.flatnonzero(numbers == number), smallest, replace=False) for number in np.unique(numbers)
    ]
    return np.sort(np.concatenate(drawn))
