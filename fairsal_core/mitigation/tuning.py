"""Fine-tuning on the mitigation split: the loop that several methods share."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import Batch, Faces, MitigationSettings, device_of
from fairsal_core.progress import Progress, silent
from fairsal_core.tensors import autocast

Order = Callable[[torch.Generator], Tensor]
"""(generator) -> the rows (n,) of the faces that an epoch goes through, in order; a row may come several times, or never."""


class TuningSettings(MitigationSettings):
    """How long and how fast a classifier is fine-tuned."""

    epochs: int = Field(3, ge=1, le=1000, description="passes over the mitigation split")
    batch_size: int = Field(64, ge=2, le=8192, description="faces per step")
    learning_rate: float = Field(2e-4, gt=0, le=1, description="Adam's rate")


def tune(
    classifier: nn.Module,
    faces: Faces,
    settings: TuningSettings,
    step: Callable[[Batch], Tensor],
    *,
    seed: int,
    frozen: Sequence[str] = (),
    order: Order | None = None,
    epoch_begins: Callable[[], None] | None = None,
    epoch_ends: Callable[[int], None] | None = None,
    progress: Progress = silent,
) -> None:
    """Fine-tune a classifier in place; it ends in eval mode.

    Parameters
    ----------
    classifier : torch.nn.Module
        The caller's own copy.
    faces : LabelledFaces
        The mitigation split.
    settings : TuningSettings
        Epochs, batches, rate.
    step : callable
        Fills the parameters' gradients for a batch, and returns the loss.
    seed : int
        Fixes order and dropout.
    frozen : sequence of str
        Layers that are not trained and stay in eval mode: what they give is what a CAV was estimated on.
    order : callable, optional
        Which faces an epoch goes through; all of them, shuffled, if not given.
    epoch_begins : callable, optional
        Called before each epoch, with the classifier in eval mode.
    epoch_ends : callable, optional
        Called after each epoch with the epochs done; it leaves the classifier as it is.

    Raises
    ------
    FairsalError
        If no weights are left to train, or the loss stops being a number.
    """
    torch.manual_seed(seed)
    still = [classifier.get_submodule(name) for name in frozen]
    kept = {parameter: parameter.requires_grad for parameter in classifier.parameters()}
    fixed = {parameter for module in still for parameter in module.parameters()}
    chosen = [parameter for parameter in kept if parameter not in fixed]
    if not chosen:
        raise FairsalError(f"Behind layer {frozen[-1]} there are no weights to train; choose an earlier layer.")
    for parameter in kept:
        parameter.requires_grad_(parameter not in fixed)
    optimiser = torch.optim.Adam(chosen, lr=settings.learning_rate)
    shuffle = torch.Generator().manual_seed(seed)
    try:
        for epoch in range(settings.epochs):
            if epoch_begins is not None:
                epoch_begins()
            to_training_mode(classifier)
            for module in still:
                module.eval()
            rows = torch.randperm(len(faces), generator=shuffle) if order is None else order(shuffle)
            for batch in batches(faces, settings.batch_size, rows, device_of(classifier)):
                optimiser.zero_grad(set_to_none=True)
                loss = step(batch)
                if not bool(torch.isfinite(loss)):
                    raise FairsalError(
                        f"The loss is no longer a number in epoch {epoch + 1}; try a smaller learning rate than "
                        f"{settings.learning_rate:g}."
                    )
                optimiser.step()
            if epoch_ends is not None:
                epoch_ends(epoch + 1)
            progress(epoch + 1, settings.epochs, f"fine-tuning, epoch {epoch + 1} of {settings.epochs}")
    finally:
        classifier.eval()
        for parameter, wanted in kept.items():
            parameter.requires_grad_(wanted)
            parameter.grad = None


def to_training_mode(classifier: nn.Module) -> None:
    """Turn dropout on. Batch norms keep the statistics they have: a few hundred chosen faces are no better ones."""
    classifier.train()
    for module in classifier.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def batches(faces: Faces, size: int, rows: Tensor, device: torch.device) -> Iterator[Batch]:
    """Give these rows of the faces in batches; in each they are sorted, since memory maps are read faster so."""
    for part in rows.split(size):
        chosen: NDArray[np.int64] = np.sort(part.numpy())
        yield faces.batch(chosen, device)


def logits_of(classifier: nn.Module, images: Tensor) -> Tensor:
    """Return logits (N, 2) in float32, computed in bf16 where the hardware gains from it, as in training."""
    with autocast(images.device, "bf16"):
        logits: Tensor = classifier(images)
    return logits.float()


def classification_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the loss that audited classifiers are trained with: binary cross-entropy on each of the two logits."""
    wanted = nn.functional.one_hot(target.long(), 2).to(logits.dtype)
    return nn.functional.binary_cross_entropy_with_logits(logits, wanted)
