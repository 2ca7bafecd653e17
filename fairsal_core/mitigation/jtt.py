"""`jtt`: just train twice (Liu et al. 2021). A network that was trained for a few epochs only gets some faces wrong; these count
lambda times as much when the classifier learns again. Nobody has to know groups to train.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from fairsal_core.classifiers import THRESHOLD
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import Applied, ChooseBy, Faces, LabelledFaces, chosen_by, device_of
from fairsal_core.mitigation.robust import Candidate, Learning, RobustSettings, drawn_by, go_on_training
from fairsal_core.mitigation.tuning import batches, classification_loss, logits_of
from fairsal_core.progress import Progress, silent


class JttSettings(RobustSettings):
    """Settings of `jtt`."""

    choose_by: ChooseBy = chosen_by("worst_class")
    identification_epochs: tuple[int, ...] = Field(
        (1, 3), min_length=1, description="T, epochs of the network whose errors count more, to search"
    )
    identification_learning_rate: float = Field(7e-4, gt=0, le=1, description="Adam's rate for that network")
    lambdas: tuple[float, ...] = Field(
        (5.0, 20.0), min_length=1, description="how much more its errors count, to search"
    )


def jtt(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: JttSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after training on with the errors of an early-stopped network weighted. T is searched with the
    first lambda, then lambda with that T."""

    def candidates(learning: Learning) -> Iterator[Candidate]:
        errors = early_errors(learning.network, learning.fit, settings, seed)
        first, *others = settings.lambdas
        for epochs, wrong in errors.items():
            yield Candidate({"T": epochs, "lambda": first}, drawn_by(upweighted(wrong, first)))
        best = learning.search.best_settings["T"]
        for weight in others:
            yield Candidate({"T": best, "lambda": weight}, drawn_by(upweighted(errors[best], weight)))

    return go_on_training(classifier, (fit, validation), settings, candidates, seed=seed, progress=progress)


def upweighted(wrong: NDArray[np.bool_], weight: float) -> NDArray[np.float64]:
    """Return the weight of each face (N,): lambda where the early network errs, else 1 (Liu et al. 2021, equation 3)."""
    return np.where(wrong, weight, 1.0)


def early_errors(network: nn.Module, faces: Faces, settings: JttSettings, seed: int) -> dict[int, NDArray[np.bool_]]:
    """Return which faces (N,) the network, trained from random weights, gets wrong after each of the numbers of epochs.

    Raises
    ------
    FairsalError
        If it never gets any wrong, or has layers that cannot be given random weights.
    """
    early = from_random_weights(network, seed)
    optimiser = torch.optim.Adam(early.parameters(), lr=settings.identification_learning_rate)
    shuffle = torch.Generator().manual_seed(seed)
    longest = max(settings.identification_epochs)
    found: dict[int, NDArray[np.bool_]] = {}
    for epoch in range(1, longest + 1):
        early.train()  # batch norms too, unlike in fine-tuning: they know nothing yet
        order = torch.randperm(len(faces), generator=shuffle)
        for batch in batches(faces, settings.batch_size, order, device_of(early)):
            if len(batch.target) == 1:
                continue  # a batch norm cannot use a single face
            optimiser.zero_grad(set_to_none=True)
            classification_loss(logits_of(early, batch.images), batch.target).backward()
            optimiser.step()
        if epoch in settings.identification_epochs:
            wrong = (faces.scores(early.eval()) > THRESHOLD) != faces.target
            found |= {epoch: wrong} if wrong.any() else {}
    if not found:
        raise FairsalError(
            f"jtt found no error among the {len(faces)} faces after {longest} epochs: nothing can count more."
        )
    return found


def from_random_weights(network: nn.Module, seed: int) -> nn.Module:
    """Return a copy of a network with the random weights that its layers begin with.

    Raises
    ------
    FairsalError
        If a layer has weights and no way to begin anew.
    """
    fresh = copy.deepcopy(network)
    torch.manual_seed(seed)
    for name, layer in fresh.named_modules():
        if not list(layer.parameters(recurse=False)):
            continue
        reset = getattr(layer, "reset_parameters", None)
        if reset is None:
            raise FairsalError(
                f"jtt trains the network from random weights first, and layer '{name}' cannot be given any."
            )
        reset()
    return fresh
