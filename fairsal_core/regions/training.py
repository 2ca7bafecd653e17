"""Training a region classifier: every patch of every image is asked for the label of the whole face."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import log_softmax
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, StepLR

from fairsal_core.device import process_count
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.faces import FaceDataset
from fairsal_core.metrics import expected_calibration_error, fit_temperature, reliability, top_label
from fairsal_core.progress import Progress, silent
from fairsal_core.regions import together
from fairsal_core.regions.classifier import RegionClassifier, build_network
from fairsal_core.regions.grid import PatchGrid
from fairsal_core.regions.maps import batches
from fairsal_core.regions.probe import readability
from fairsal_core.tensors import autocast, resident, seed_everything, to_unit


class RegionTraining(BaseModel):
    """How a region classifier is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str = Field("dense", description="kind of region classifier: dense, or the paper's resnet18")
    width: int | None = Field(
        None, ge=4, le=256, description="channels of the network's first layers; by default dense 32, resnet18 64"
    )
    per_side: int = Field(
        49, ge=2, le=97, description="patch positions along each side; 49 is the paper's, 25 and 13 are cheaper"
    )
    images: int = Field(
        4000, ge=2, description="training faces, drawn from the train split; all of it if that has fewer"
    )
    epochs: int = Field(4, ge=1, le=1000, description="passes over the training faces")
    batch_size: int = Field(32, ge=1, le=4096, description="faces per step")
    learning_rate: float = Field(2e-3, gt=0, description="peak rate of AdamW")
    schedule: str = Field(
        "one_cycle",
        description="of the rate: one_cycle, up and then to 0 along a cosine; or steps, / 10 every 40 epochs",
    )
    warm_up: float = Field(
        0.25,
        ge=0,
        le=0.5,
        description="share of training in which positions count by how well a linear probe reads the label there; over as "
        "much again they come to count alike",
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of each label spread over all classes")
    validation_images: int = Field(1000, ge=1, description="faces of the validation split that judge it")
    temperature_scaling: bool = Field(
        False, description="divide the logits by a temperature fitted on the validation faces"
    )
    precision: Literal["bf16", "fp32"] = Field("bf16", description="bf16 is used only where the hardware gains from it")
    compile: bool = Field(False, description="torch.compile the network; pays off on a GPU in long trainings")
    seed: int = Field(0, ge=0, description="fixes the sample, the order and the initial weights")


def _one_cycle(optimiser: Optimizer, rate: float, epochs: int, steps: int) -> LRScheduler:
    rise = 0.3 if steps == 5 else 0.2  # at 5 steps a rise over 0.2 ends at step 0, where torch divides by zero
    return OneCycleLR(optimiser, rate, total_steps=steps, pct_start=rise)


def _steps(optimiser: Optimizer, rate: float, epochs: int, steps: int) -> LRScheduler:
    return StepLR(optimiser, step_size=40 * (steps // epochs), gamma=0.1)


# How the learning rate goes, given the optimiser, the peak rate, the epochs and the steps in all.
SCHEDULES: dict[str, Callable[[Optimizer, float, int, int], LRScheduler]] = {"one_cycle": _one_cycle, "steps": _steps}

# Settings to start from, whatever they leave out keeps its default.
REGION_PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # De Coninck et al. 2024 and its authors' code; weeks on a CPU.
    "paper": {
        "network": "resnet18",
        "images": 1_000_000,
        "epochs": 90,
        "batch_size": 256,
        "learning_rate": 1e-3,
        "schedule": "steps",
        "warm_up": 0,
        "label_smoothing": 0.1,
    },
}


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
        The attribute to predict, of two classes or more.
    settings : RegionTraining, optional
        By default those that take minutes on two cores.
    device : torch.device, optional
        By default the CPU.
    progress : Progress
        Called after every step; may raise to stop.

    Raises
    ------
    FairsalError
        If all faces of the train split are of one class, or the loss stops being a number.
    """
    settings = settings or RegionTraining()
    device = device or torch.device("cpu")
    train = faces.in_split("train").sample(settings.images, settings.seed)
    labels, classes = train.classes(attribute)
    counts = np.bincount(labels, minlength=len(classes))
    if (counts > 0).sum() < 2:
        raise FairsalError(f"'{attribute}' is the same on all {len(train)} training faces; there is nothing to learn.")
    if settings.compile and process_count() > 1:
        raise FairsalError("Several processes train without torch.compile; leave --compile out, or torchrun.")
    if settings.schedule not in SCHEDULES:
        raise unknown_name("schedule", settings.schedule, SCHEDULES)
    seed_everything(settings.seed)
    grid = PatchGrid(image_size=train.images.shape[1], per_side=settings.per_side)
    shape = {} if settings.width is None else {"width": settings.width}
    network = (
        build_network(settings.network, len(classes), grid, shape).to(device).to(memory_format=torch.channels_last)
    )
    _fit(network, grid, train.images, labels, settings, device, progress, attribute)
    classifier = RegionClassifier(
        network=network.eval(),
        attribute=attribute,
        classes=classes,
        prior=class_frequencies(counts),
        grid=grid,
        kind=settings.network,
        settings=shape,
        data={"name": faces.name, "train_faces": len(train), "class_counts": counts.tolist()},
        training=settings.model_dump(),
    )
    validation = faces.in_split("val").sample(settings.validation_images, settings.seed)
    if len(validation):
        logits = patch_logits(classifier, validation, progress)
        classes_of = validation.classes(attribute)[0]
        if settings.temperature_scaling:
            classifier.temperature = fit_temperature(*_flat(logits, classes_of))
        classifier.metrics = judge(logits / classifier.temperature, classes_of)
        classifier.calibration = calibration_of(logits, classes_of, classifier.temperature)
    return classifier


def class_frequencies(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the share of each class; one that no face shows counts half a face, as a frequency of 0 has no logarithm."""
    counted = np.maximum(counts, 0.5)
    return tuple((counted / counted.sum()).tolist())


def patch_logits(classifier: RegionClassifier, faces: FaceDataset, progress: Progress = silent) -> NDArray[np.float32]:
    """Return the logits (N, per_side, per_side, C) of all patches of these faces."""
    side = classifier.grid.per_side
    logits = np.empty((len(faces), side, side, len(classifier.classes)), dtype=np.float32)
    for part in batches(len(faces), classifier.device):
        images = resident(faces.take(range(len(faces))[part]).images, classifier.device)
        logits[part] = classifier.logits(to_unit(images)).float().cpu().numpy()
        progress(part.stop, len(faces), f"Judging the regions of {classifier.attribute} on validation faces")
    return logits


def judge(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float | int]:
    """Return how well patches tell the label.

    Parameters
    ----------
    logits : array, (N, per_side, per_side, C)
        Of all patches, on faces that were not trained on.
    labels : array, (N,) int
        Class numbers.

    Returns
    -------
    dict
        `faces`; `patch_accuracy` over all patches; `best_position_accuracy`; `vote_accuracy` when the mean log-probability of
        all patches decides; `majority`, the accuracy of always saying the commonest label; `ece`, the top-label expected
        calibration error over all patches (100 bins).
    """
    accuracy = (logits.argmax(axis=-1) == labels[:, None, None]).mean(axis=0)
    votes = log_softmax(logits, axis=-1).mean(axis=(1, 2)).argmax(axis=-1) == labels
    diagram = reliability(*top_label(*_flat(logits, labels)))
    return {
        "faces": len(labels),
        "patch_accuracy": round(float(accuracy.mean()), 4),
        "best_position_accuracy": round(float(accuracy.max()), 4),
        "vote_accuracy": round(float(votes.mean()), 4),
        "majority": round(int(np.bincount(labels).max()) / len(labels), 4),
        "ece": round(expected_calibration_error(diagram), 4),
    }


def calibration_of(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float = 1.0) -> dict[str, Any]:
    """Return the reliability diagram of all patches as JSON-able lists: as trained, and divided by the temperature.

    Returns
    -------
    dict
        `kind`, `faces`, `patches`, `temperature`, and for "before" and "after" `ece`, `count`, `confidence` and `correct`
        (sums per bin, as in `fairsal_core.metrics.Reliability`).
    """
    scaled = {"before": 1.0} if temperature == 1 else {"before": 1.0, "after": temperature}
    diagrams = {name: reliability(*top_label(*_flat(logits / divisor, labels))) for name, divisor in scaled.items()}
    return {
        "kind": "top-label",
        "faces": len(labels),
        "patches": int(np.prod(logits.shape[:-1])),
        "temperature": round(temperature, 4),
        **{
            name: {
                "ece": round(expected_calibration_error(diagram), 5),
                "count": diagram.count.tolist(),
                "confidence": diagram.confidence.round(3).tolist(),
                "correct": diagram.correct.tolist(),
            }
            for name, diagram in diagrams.items()
        },
    }


def _flat(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return logits (M, C) and labels (M,), one row a patch."""
    patches = logits.reshape(-1, logits.shape[-1])
    return patches, np.repeat(labels, len(patches) // len(labels))


def _fit(
    network: nn.Module,
    grid: PatchGrid,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    settings: RegionTraining,
    device: torch.device,
    progress: Progress,
    attribute: str,
) -> None:
    pixels = resident(images, device)
    wanted = torch.from_numpy(labels).to(device)
    steps = settings.epochs * -(-len(labels) // settings.batch_size)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate)
    schedule = SCHEDULES[settings.schedule](optimiser, settings.learning_rate, settings.epochs, steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing, reduction="none")
    start = _start_weights(network, grid, pixels, wanted, settings).flatten()
    shuffle = torch.Generator().manual_seed(settings.seed)
    supervised = together.trainable(network)
    step = 0
    network.train()
    for part in network.children() if settings.compile else ():
        part.compile()
    for epoch in range(settings.epochs):
        for rows in torch.randperm(len(labels), generator=shuffle).split(settings.batch_size):
            count, positions = len(rows), together.share(network.draw(len(rows)))  # type: ignore[operator]
            rows = together.share(rows).to(device)
            with autocast(device, settings.precision):
                logits = supervised(to_unit(pixels[rows]), positions)
            losses = loss_of(logits.float(), wanted[rows][:, None].expand_as(positions))
            alike = _share_alike(step / steps, settings.warm_up)
            weighted = losses * torch.lerp(start, torch.ones_like(start), alike)[positions]
            loss = together.mean_of_batch(weighted, count)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            if step % 10 == 0 or step == steps:
                told = together.average(torch.stack([loss, together.mean_of_batch(losses, count)]).detach())
                if not bool(torch.isfinite(told[0])):
                    raise FairsalError(
                        "The region classifier's loss is no longer a number; try a smaller learning rate."
                    )
                mean = float(told[1])
                where = f"epoch {epoch + 1} of {settings.epochs}"
                progress(step, steps, f"Training regions for {attribute}, {where}, loss {mean:.3f}")


def _start_weights(
    network: nn.Module, grid: PatchGrid, pixels: Tensor, labels: Tensor, settings: RegionTraining
) -> Tensor:
    """Return the weight (per_side, per_side), of mean 1, of each position's loss at the start."""
    alike = torch.ones(grid.per_side, grid.per_side, device=pixels.device)
    if settings.warm_up == 0:
        return alike
    # Where a label can be read is a question about the faces; an untrained `dense` answers it for the others too.
    probed = network if settings.network == "dense" else build_network("dense", 2, grid, {}).to(pixels.device)
    weights = readability(probed, pixels, labels, settings.precision).square()
    return weights / weights.mean() if bool(weights.any()) else alike


def _share_alike(done: float, warm_up: float) -> float:
    """Return how much all positions count alike, 0 to 1, when this share of training is done."""
    return 1.0 if warm_up == 0 else min(max(done / warm_up - 1, 0.0), 1.0)
