"""Training a region classifier: every patch of every image is asked for the label of the whole face."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.progress import Progress, silent
from fairsal_core.regions.classifier import RegionClassifier, build_network
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.regions.probe import readability
from fairsal_core.tensors import autocast, resident, seed_everything, to_unit


class RegionTraining(BaseModel):
    """How a region classifier is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str = Field("dense", description="kind of region classifier")
    images: int = Field(
        4000, ge=2, description="training faces, drawn from the train split; all of it if that has fewer"
    )
    epochs: int = Field(4, ge=1, le=1000, description="passes over the training faces")
    batch_size: int = Field(32, ge=1, le=4096, description="faces per step")
    learning_rate: float = Field(2e-3, gt=0, description="peak rate of AdamW; it falls to 0 along a cosine")
    warm_up: float = Field(
        0.25,
        ge=0,
        le=0.5,
        description="share of training in which positions count by how well a linear probe reads the label there; over as "
        "much again they come to count alike",
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of each label spread over all classes")
    validation_images: int = Field(1000, ge=1, description="faces of the validation split that judge it")
    precision: Literal["bf16", "fp32"] = Field("bf16", description="bf16 is used only where the hardware gains from it")
    seed: int = Field(0, ge=0, description="fixes the sample, the order and the initial weights")


def train_region_classifier(
    faces: FaceDataset,
    attribute: str,
    settings: RegionTraining | None = None,
    *,
    device: torch.device | None = None,
    progress: Progress = silent,
) -> RegionClassifier:
    """Train a region classifier on the train split and judge it on the validation split.

    Parameters
    ----------
    faces : FaceDataset
        Packed, at 128 pixels.
    attribute : str
        The attribute to predict; binary.
    settings : RegionTraining, optional
        By default those that take minutes on two cores.
    device : torch.device, optional
        By default the CPU.
    progress : Progress
        Called after every step; may raise to stop.

    Raises
    ------
    FairsalError
        If the train split shows the attribute on all faces or on none, or the loss stops being a number.
    """
    settings = settings or RegionTraining()
    device = device or torch.device("cpu")
    train = faces.in_split("train").sample(settings.images, settings.seed)
    labels = train.labels(attribute)
    if labels.all() or not labels.any():
        raise FairsalError(f"'{attribute}' is the same on all {len(train)} training faces; there is nothing to learn.")
    seed_everything(settings.seed)
    grid = PatchGrid(image_size=train.images.shape[1])
    network = build_network(settings.network, 2, grid, {}).to(device).to(memory_format=torch.channels_last)
    _fit(network, train.images, labels, settings, device, progress, attribute)
    classifier = RegionClassifier(
        network=network.eval(),
        attribute=attribute,
        classes=(f"not {attribute}", attribute),
        prior=(float(1 - labels.mean()), float(labels.mean())),
        grid=grid,
        kind=settings.network,
        data={"name": faces.name, "train_faces": len(train), "prevalence": round(float(labels.mean()), 4)},
        training=settings.model_dump(),
    )
    validation = faces.in_split("val").sample(settings.validation_images, settings.seed)
    classifier.metrics = judge(classifier, validation) if len(validation) else {}
    return classifier


def judge(classifier: RegionClassifier, faces: FaceDataset) -> dict[str, float | int]:
    """Return how well the patches of these faces tell the label.

    Returns
    -------
    dict
        `faces`; `patch_accuracy` over all patches; `best_position_accuracy`; `vote_accuracy` when the mean log-probability of
        all patches decides; `majority`, the accuracy of always saying the commoner label.
    """
    labels = torch.from_numpy(faces.labels(classifier.attribute).astype(np.int64))
    images = faces.images
    correct = torch.zeros(classifier.grid.per_side, classifier.grid.per_side)
    votes = 0
    for start in range(0, len(faces), 64):
        wanted = labels[start : start + 64]
        logits = classifier.logits(to_unit(resident(images[start : start + 64], classifier.device))).float().cpu()
        correct += (logits.argmax(dim=-1) == wanted[:, None, None]).sum(dim=0)
        votes += int((logits.log_softmax(dim=-1).mean(dim=(1, 2)).argmax(dim=-1) == wanted).sum())
    accuracy = correct / len(faces)
    positive = float(labels.float().mean())
    return {
        "faces": len(faces),
        "patch_accuracy": round(float(accuracy.mean()), 4),
        "best_position_accuracy": round(float(accuracy.max()), 4),
        "vote_accuracy": round(votes / len(faces), 4),
        "majority": round(max(positive, 1 - positive), 4),
    }


def _fit(
    network: nn.Module,
    images: NDArray[np.uint8],
    labels: NDArray[np.bool_],
    settings: RegionTraining,
    device: torch.device,
    progress: Progress,
    attribute: str,
) -> None:
    pixels = resident(images, device)
    wanted = torch.from_numpy(labels.astype(np.int64)).to(device)
    steps = settings.epochs * -(-len(labels) // settings.batch_size)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate)
    rise = 0.3 if steps == 5 else 0.2  # at 5 steps a rise over 0.2 ends at step 0, where torch divides by zero
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=steps, pct_start=rise)
    loss_of = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing, reduction="none")
    start = _start_weights(network, pixels, wanted, settings)
    shuffle = torch.Generator().manual_seed(settings.seed)
    step = 0
    network.train()
    for epoch in range(settings.epochs):
        for rows in torch.randperm(len(labels), generator=shuffle).split(settings.batch_size):
            rows = rows.to(device)
            with autocast(device, settings.precision):
                logits = network(to_unit(pixels[rows]))
            targets = wanted[rows][:, None, None].expand(-1, *logits.shape[-2:])
            alike = _share_alike(step / steps, settings.warm_up)
            losses = loss_of(logits.float(), targets)
            loss = (losses * torch.lerp(start, torch.ones_like(start), alike)).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            if step % 10 == 0 or step == steps:
                if not bool(torch.isfinite(loss)):
                    raise FairsalError(
                        "The region classifier's loss is no longer a number; try a smaller learning rate."
                    )
                mean = float(losses.detach().mean())
                where = f"epoch {epoch + 1} of {settings.epochs}"
                progress(step, steps, f"Training regions for {attribute}, {where}, loss {mean:.3f}")


def _start_weights(network: nn.Module, pixels: Tensor, labels: Tensor, settings: RegionTraining) -> Tensor:
    """Return the weight (per_side, per_side), of mean 1, of each position's loss at the start."""
    if settings.warm_up == 0:
        return torch.ones((), device=pixels.device)
    weights = readability(network, pixels, labels, settings.precision).square()
    return weights / weights.mean() if bool(weights.any()) else torch.ones_like(weights)


def _share_alike(done: float, warm_up: float) -> float:
    """Return how much all positions count alike, 0 to 1, when this share of training is done."""
    return 1.0 if warm_up == 0 else min(max(done / warm_up - 1, 0.0), 1.0)
