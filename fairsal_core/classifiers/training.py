"""Training an audited classifier, with or without a scheme that hides regions from it."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import ExponentialLR

from fairsal_core.classifiers.registry import CLASSIFIERS, Architecture, build_classifier
from fairsal_core.classifiers.side_by_side import side_by_side
from fairsal_core.errors import FairsalError
from fairsal_core.schemes import Scheme, hide
from fairsal_core.tensors import autocast, resident, seed_everything, to_unit

_EVALUATION_BATCH = 256
_PART = 16  # images of a batch that are made ready at a time on a CPU, while they are in the cache


class ClassifierTraining(BaseModel):
    """How an audited classifier is trained.

    The defaults learn the drawn faces in minutes on two cores; the preset "paper" has the authors' 20 epochs at 1e-5.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classifier: str = Field("three_conv", description="audited classifier")
    epochs: int = Field(6, ge=1, le=1000, description="passes over the training subset")
    batch_size: int = Field(32, ge=2, le=8192, description="faces per step")
    learning_rate: float = Field(7e-4, gt=0, le=1, description="AdamW's rate in the first epoch")
    learning_rate_decay: float = Field(0.7, gt=0, le=1, description="factor on the learning rate after every epoch")
    weight_decay: float = Field(1e-3, ge=0, description="AdamW's weight decay")
    weights: Literal["random", "imagenet"] = Field("random", description="to start from; imagenet: a file of your own")
    precision: Literal["bf16", "fp32"] = Field("bf16", description="bf16 is used only where the hardware gains from it")


@dataclass(frozen=True)
class Treatment:
    """A scheme made ready for a set of images: which pixels of which image are hidden, and how.

    Attributes
    ----------
    scheme : Scheme
        How.
    selected : tensor, (H, W) or (N, H, W) bool
        Where: for all images, or row by row for the images it was made for.
    fill : 3 floats
        Colour of the masks.
    probability : float
        How many of the images it is applied to while training; the others stay clean.
    """

    scheme: Scheme
    selected: Tensor
    fill: tuple[float, float, float]
    probability: float = 1.0

    def __call__(self, images: Tensor, rows: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return images (N, 3, H, W), which are the given rows of the set, with their regions hidden."""
        selected = self.selected if self.selected.ndim == 2 else self.selected[rows]
        return hide(images, selected, self.scheme, self.fill, generator)

    @property
    def of_no_effect(self) -> int:
        """How many images' regions are empty, as a constant map has no highest places; of a map for all images, 0 or 1."""
        return int((~self.selected.flatten(start_dim=-2).any(dim=-1)).sum())

    def sometimes(self, images: Tensor, rows: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return the images, each treated with the treatment's probability."""
        treated = self(images, rows, generator)
        if self.probability >= 1:
            return treated
        chosen = torch.rand(len(images), device=images.device, generator=generator) < self.probability
        return torch.where(chosen.view(-1, 1, 1, 1), treated, images)


OnEpochEnd = Callable[[int, nn.Module, dict[str, float]], None]
"""Called after each epoch with the epochs done, the network, and its `loss` and `images_per_second`; may raise to stop.

The network is what a training of so many epochs would give; whoever keeps or judges it leaves it as it is.
"""


def _tell_nobody(epoch: int, classifier: nn.Module, numbers: dict[str, float]) -> None:
    """Do nothing: the default."""


@dataclass(frozen=True)
class TrainingTask:
    """What a classifier learns from, and who is told.

    Attributes
    ----------
    images : array, (N, S, S, 3) uint8
        Copied to the device once, and treated and cut into batches there.
    labels : array, (N,) bool
        Whether each face has the target attribute.
    seed : int
        Fixes initial weights, order, dropout and noise.
    treatment : Treatment, optional
        Hides regions of the training images; its noise is fresh in every batch.
    on_epoch_end : callable
        See `OnEpochEnd`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.bool_]
    seed: int
    treatment: Treatment | None = None
    on_epoch_end: OnEpochEnd = _tell_nobody


def train_classifier(task: TrainingTask, settings: ClassifierTraining, device: torch.device) -> nn.Module:
    """Train a classifier to tell the target attribute.

    Parameters
    ----------
    task : TrainingTask
        Faces, labels, seed, treatment.
    settings : ClassifierTraining
        Architecture, epochs, rates.
    device : torch.device
        Where to train.

    Returns
    -------
    torch.nn.Module
        On `device`, in eval mode.

    Raises
    ------
    FairsalError
        If the loss stops being a number.

    Notes
    -----
    Loss: binary cross-entropy on each of the two logits, as in the authors' code.
    """
    architecture = CLASSIFIERS.find(settings.classifier)
    classifier = untrained(settings, task.seed, device)
    optimiser, schedule = optimiser_of(classifier.parameters(), settings)
    batches = batches_of(task, settings, device)
    for epoch in range(1, settings.epochs + 1):
        total = torch.zeros((), device=device)
        started = time.perf_counter()
        classifier.train()
        for batch, targets in batches():
            with autocast(device, settings.precision):
                logits = architecture.training_pass(classifier, batch)
            loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.detach() * len(batch)
        schedule.step()
        images = len(task.labels)
        loss_of_epoch, pace = float(total) / images, images / (time.perf_counter() - started)
        task.on_epoch_end(epoch, classifier, numbers_of_epoch(epoch, loss_of_epoch, pace, settings))
    return classifier.eval()


def untrained(settings: ClassifierTraining, seed: int, device: torch.device) -> nn.Module:
    """Return a classifier with its initial weights; torch's generators are at the seed's beginning then."""
    seed_everything(seed)
    architecture = CLASSIFIERS.find(settings.classifier)
    classifier = build_classifier(settings.classifier)
    if settings.weights == "imagenet":
        _pretrain(classifier, architecture)
    return classifier.to(device).to(memory_format=architecture.memory_format)


def optimiser_of(weights: Iterable[Tensor], settings: ClassifierTraining) -> tuple[AdamW, ExponentialLR]:
    """Return the optimiser of some weights, and what lowers its rate after every epoch."""
    # Fused: step by step over six million weights, AdamW was a fifth of the training time.
    optimiser = AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    return optimiser, ExponentialLR(optimiser, settings.learning_rate_decay)


def batches_of(
    task: TrainingTask, settings: ClassifierTraining, device: torch.device
) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
    """Return what gives a new epoch at every call: images (B, 3, S, S), treated, and targets (B, 2), on the device."""
    layout = CLASSIFIERS.find(settings.classifier).memory_format
    pixels = resident(task.images, device)
    targets = nn.functional.one_hot(torch.from_numpy(task.labels.astype(np.int64)), 2).float().to(device)
    shuffle = torch.Generator().manual_seed(task.seed)
    seeds = torch.Generator().manual_seed(task.seed)

    def ready(rows: Tensor, seed: int) -> Tensor:
        images = to_unit(pixels[rows]).contiguous(memory_format=layout)
        if task.treatment is None:
            return images
        return task.treatment.sometimes(images, rows, torch.Generator(device).manual_seed(seed))

    def epoch() -> Iterator[tuple[Tensor, Tensor]]:
        for rows in _shuffled(len(pixels), settings.batch_size, shuffle):
            rows = rows.to(device)
            parts = rows.split(_PART if device.type == "cpu" else len(rows))
            of_parts = torch.randint(2**62, (len(parts),), generator=seeds).tolist()
            yield torch.cat(side_by_side(ready, parts, of_parts)), targets[rows]

    return epoch


def numbers_of_epoch(epoch: int, loss: float, pace: float, settings: ClassifierTraining) -> dict[str, float]:
    """Return what is told of an epoch with this mean loss, at so many images a second.

    Raises
    ------
    FairsalError
        If the loss is not a number.
    """
    if not np.isfinite(loss):
        raise FairsalError(
            f"The loss is no longer a number in epoch {epoch}; try a smaller learning rate than {settings.learning_rate:g}."
        )
    return {"loss": loss, "images_per_second": pace}


def predict_scores(
    classifier: nn.Module, images: NDArray[np.uint8], treatment: Treatment | None = None, seed: int = 0
) -> NDArray[np.float32]:
    """Return the probability of the target attribute for each image, (N,) float32: above 0.5 means "with the target".

    Parameters are those of `predict_logits`.
    """
    return scores_from(predict_logits(classifier, images, treatment, seed))


def scores_from(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probability of the target attribute (N,) that two logits (N, 2) say: their softmax."""
    scores: NDArray[np.float32] = torch.from_numpy(logits).softmax(dim=-1)[:, 1].numpy()
    return scores


@torch.inference_mode()
def predict_logits(
    classifier: nn.Module, images: NDArray[np.uint8], treatment: Treatment | None = None, seed: int = 0
) -> NDArray[np.float32]:
    """Return a classifier's two logits for each image.

    Parameters
    ----------
    classifier : torch.nn.Module
        Two logits; stays on its device and is put in eval mode.
    images : array, (N, S, S, 3) uint8
        Faces.
    treatment : Treatment, optional
        Hides regions of the images first ("treated" evaluation).
    seed : int
        Fixes the noise.

    Returns
    -------
    array, (N, 2) float32
        Without and with the target.
    """
    device = next(classifier.parameters()).device
    classifier.eval()
    noise = torch.Generator(device).manual_seed(seed)
    logits = []
    for rows in torch.arange(len(images)).split(_EVALUATION_BATCH):
        batch = to_unit(resident(images[rows.numpy()], device))
        if treatment is not None:
            batch = treatment(batch, rows.to(device), noise)
        logits.append(classifier(batch))
    result: NDArray[np.float32] = torch.cat(logits).float().cpu().numpy()
    return result


def _pretrain(classifier: nn.Module, architecture: Architecture) -> None:
    if architecture.pretrain is None:
        raise FairsalError(f"There are no ImageNet weights for '{architecture.name}'; train it from random ones.")
    architecture.pretrain(classifier, architecture.name)


def _shuffled(count: int, size: int, shuffle: torch.Generator) -> list[Tensor]:
    """Return a shuffled epoch; a last batch of one image is dropped, since batch norm cannot use it."""
    return [rows for rows in torch.randperm(count, generator=shuffle).split(size) if len(rows) > 1]
