"""`group_dro`: group distributionally robust optimisation (Sagawa et al. 2020, algorithm 1 and section 3.3).

Each group has a weight, which grows with its loss: q_g <- q_g exp(eta (loss_g + C / sqrt(n_g))), then all are scaled to a sum
of 1; the classifier goes down the gradient of sum q_g loss_g. C / sqrt(n_g) allows for how little a small group tells.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.mitigation.base import Applied, Batch, LabelledFaces, device_of
from fairsal_core.mitigation.robust import (
    Candidate,
    Learning,
    RobustSettings,
    drawn_equally,
    go_on_training,
    group_numbers,
)
from fairsal_core.progress import Progress, silent


class GroupDroSettings(RobustSettings):
    """Settings of `group_dro`."""

    adjustments: tuple[float, ...] = Field(
        (0.0, 2.0), min_length=1, description="C, the generalisation adjustments to search"
    )
    step_size: float = Field(0.01, gt=0, le=10, description="eta, how fast the weights of the groups grow")


class GroupWeights:
    """The weights q of the groups, and the loss that they make of a batch.

    Parameters
    ----------
    sizes : array, (G,) int
        Faces of each group.
    adjustment, step_size : float
        C and eta.
    device : torch.device
        Where batches are.
    """

    def __init__(
        self, sizes: NDArray[np.int64], adjustment: float, step_size: float, device: torch.device | None = None
    ) -> None:
        self.weights = torch.full((len(sizes),), 1 / len(sizes), device=device)
        self._adjusted = adjustment / torch.from_numpy(sizes).to(device).float().sqrt()
        self._step_size = step_size

    def loss(self, losses: Tensor, groups: Tensor) -> Tensor:
        """Return sum q_g (loss_g + C / sqrt(n_g)) over the groups in a batch, after their weights have grown.

        Parameters
        ----------
        losses : tensor, (N,)
            Of each face.
        groups : tensor, (N,) int
            Of each face. A group that is not there keeps its weight, but for the scaling, and adds nothing.
        """
        members = nn.functional.one_hot(groups, len(self.weights)).to(losses.dtype)
        counts = members.sum(dim=0)
        there = counts > 0
        adjusted = (losses @ members) / counts.clamp(min=1) + self._adjusted
        grown = self.weights * torch.where(there, (self._step_size * adjusted.detach()).exp(), 1.0)
        self.weights = grown / grown.sum()
        return torch.where(there, self.weights * adjusted, 0.0).sum()


def group_dro(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: GroupDroSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after training on for the group that it is worst at. Groups are drawn equally often."""

    def candidates(learning: Learning) -> Iterator[Candidate]:
        numbers = group_numbers(learning.fit, "group_dro")
        for adjustment in settings.adjustments:
            weights = GroupWeights(np.bincount(numbers), adjustment, settings.step_size, device_of(learning.network))

            def loss(logits: Tensor, batch: Batch, weights: GroupWeights = weights) -> Tensor:
                return weights.loss(face_losses(logits, batch.target), group_tensor(batch))

            yield Candidate({"adjustment": adjustment}, drawn_equally(numbers), loss)

    return go_on_training(classifier, (fit, validation), settings, candidates, seed=seed, progress=progress)


def face_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Return the loss of each face (N,), whose mean is `classification_loss`."""
    wanted = nn.functional.one_hot(target.long(), 2).to(logits.dtype)
    return nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=1)


def group_tensor(batch: Batch) -> Tensor:
    """Return the group 0 to 3 of each face of a batch, numbered as `fairsal_core.metrics.cell_numbers` does."""
    return 2 * (~batch.target).long() + (~batch.confounder).long()
