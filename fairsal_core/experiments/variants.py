"""The variants of an experiment, and their training: one by one, or the seeds of one at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import (
    ClassifierTraining,
    EpochDone,
    Lesson,
    Treatment,
    Watch,
    faster_together,
    load_classifier,
    save_classifier,
    train_classifier,
    train_seeds,
)
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.artifacts import artifact, is_made
from fairsal_core.experiments.config import ExperimentConfig, SchemeChoice
from fairsal_core.experiments.reporting import Report
from fairsal_core.faces import CellCounts, FaceDataset, biased_subset, packing_key
from fairsal_core.regions import RegionClassifier, pixel_maps
from fairsal_core.schemes import find_scheme, select_pixels

_STAGE = "classifiers"
_CLASSIFIER = "classifier.safetensors"
_LEAST_BATCH = 8  # smaller ones would make batch norm guess


@dataclass(frozen=True)
class Variant:
    """One row of the result table.

    Attributes
    ----------
    name : str
        In every table.
    counts : CellCounts
        Which faces it is trained on.
    training : ClassifierTraining
        How.
    treated_by : tuple of SchemeChoice
        General schemes that its test images are treated by.
    scheme : SchemeChoice, optional
        What hides regions while training.
    passes : tuple of int
        Epochs after which its training has been that of another variant, which so needs none of its own.
    """

    name: str
    counts: CellCounts
    training: ClassifierTraining
    treated_by: tuple[SchemeChoice, ...]
    scheme: SchemeChoice | None = None
    passes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Regions:
    """A region classifier and what identifies it."""

    classifier: RegionClassifier
    key: dict[str, Any]


@dataclass(frozen=True)
class Maps:
    """Region maps of a training subset (N, per_side, per_side), their mean, and the subset's mean colour."""

    each: NDArray[np.float16]
    mean: NDArray[np.float32]
    colour: tuple[float, float, float]
    key: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """What all trainings of an experiment share.

    Attributes
    ----------
    config : ExperimentConfig
        What was asked for.
    faces : FaceDataset
        All of them.
    regions : Regions, optional
        The confounder's; None without a scheme.
    device : torch.device
        Where to train.
    report : Report
        Told how far it is.
    watch : Watch, optional
        Judges a classifier between epochs.
    """

    config: ExperimentConfig
    faces: FaceDataset
    regions: Regions | None
    device: torch.device
    report: Report
    watch: Watch | None = None


def images_trained(config: ExperimentConfig, variants: list[Variant]) -> int:
    """Return how many images all trainings see together: faces, epochs, variants and seeds."""
    own = with_training(variants)
    return len(config.seeds) * sum(variant.counts.total * variant.training.epochs for variant in own)


def with_training(variants: list[Variant]) -> list[Variant]:
    """Return the variants that need a training of their own: not those that a longer one passes on its way."""
    passed = {(variant.counts, variant.scheme, epochs) for variant in variants for epochs in variant.passes}
    return [variant for variant in variants if (variant.counts, variant.scheme, variant.training.epochs) not in passed]


def train_variant(
    experiment: Experiment,
    variant: Variant,
    seed: int,
    maps: Maps | None,
    begins: Callable[[], None] = lambda: None,
) -> nn.Module:
    """Return the trained classifier of a variant and seed; `begins` is called if it has to be trained now.

    Where the device has too little memory for its batches they are halved, and the run says so. What is then trained is
    kept under the smaller batch: it is not what was asked for.

    Raises
    ------
    FairsalError
        If not even batches of `_LEAST_BATCH` fit.
    """
    try:
        return _train_variant(experiment, variant, seed, maps, begins)
    except torch.OutOfMemoryError as error:
        device, batch = experiment.device, variant.training.batch_size // 2
        if batch < _LEAST_BATCH:
            raise FairsalError(
                f"There is not enough memory on {device} for batches of {variant.training.batch_size}: free some, or use cpu."
            ) from error
    said = f"{variant.name}: too little memory on {device}, so trained in batches of {batch}, not {2 * batch}."
    print(said)
    experiment.report(0, 1, said, batch_size=batch)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    smaller = replace(variant, training=variant.training.model_copy(update={"batch_size": batch}))
    return train_variant(experiment, smaller, seed, maps, begins)


def _train_variant(
    experiment: Experiment, variant: Variant, seed: int, maps: Maps | None, begins: Callable[[], None]
) -> nn.Module:
    device = experiment.device

    def build(folder: Path) -> None:
        begins()
        epoch_done = partial(_report_epoch, experiment.report, variant.training.epochs, variant.name)
        lesson = lesson_of(experiment, variant, seed, maps, epoch_done)
        _save(train_classifier(settings=variant.training, device=device, **vars(lesson)), folder)

    folder = artifact(_STAGE, classifier_key(experiment, variant, seed, maps), build)
    return load_classifier(variant.training.classifier, folder / _CLASSIFIER).to(device)


def classifier_key(experiment: Experiment, variant: Variant, seed: int, maps: Maps | None) -> dict[str, Any]:
    """Return all that the trained classifier of a variant and seed depends on."""
    config = experiment.config
    return {
        "faces": packing_key(experiment.faces),
        "target": config.target,
        "confounder": config.confounder,
        "counts": variant.counts.model_dump(),
        "seed": seed,
        "training": variant.training.model_dump(mode="json"),
        "device": experiment.device.type,
        "scheme": variant.scheme.model_dump() if variant.scheme else None,
        "maps": maps.key if variant.scheme and maps else None,
    }


def lesson_of(
    experiment: Experiment, variant: Variant, seed: int, maps: Maps | None, epoch_done: EpochDone | None = None
) -> Lesson:
    """Return what a variant learns from with this seed; the shorter variants that it passes are left in the cache."""
    config = experiment.config
    subset = biased_subset(experiment.faces, config.target, config.confounder, variant.counts, seed=seed)
    treatment = None
    if variant.scheme and experiment.regions and maps:
        treatment = make_treatment(variant.scheme, experiment.regions, maps, experiment.device)

    def leave(epochs: int, classifier: nn.Module) -> None:
        if epochs in variant.passes:
            training = variant.training.model_copy(update={"epochs": epochs})
            shorter = classifier_key(experiment, replace(variant, training=training), seed, maps)
            artifact(_STAGE, shorter, partial(_save, classifier))

    return Lesson(subset.images, subset.labels(config.target), seed, treatment, epoch_done, experiment.watch, leave)


def train_seeds_of(experiment: Experiment, variant: Variant, maps: Mapping[int, Maps | None], share: float) -> bool:
    """Train the seeds of a variant at once if that is faster on this device, and leave them for `train_variant` to find.

    Seeds that are in the cache already are left out. Returns whether it trained: not where one by one is faster, nor where
    the device has too little memory. The stage is a `share` of the run's progress.
    """
    device, report = experiment.device, experiment.report
    keys = {seed: classifier_key(experiment, variant, seed, maps[seed]) for seed in experiment.config.seeds}
    missing = [seed for seed, key in keys.items() if not is_made(_STAGE, key)]
    epochs, taken = variant.training.epochs, iter(range(1, 1 + len(missing) * variant.training.epochs))

    def tell(seed: int, epoch: int, numbers: dict[str, float]) -> None:
        said = _epoch_done(variant.name, epoch, epochs, numbers)
        report.beside(f"{variant.name}, seed {seed}", said, **numbers)
        report(next(taken), len(missing) * epochs, said)

    lessons = [lesson_of(experiment, variant, seed, maps[seed], partial(tell, seed)) for seed in missing]
    if not faster_together(lessons, variant.training, device):
        return False
    report.stage(f"{variant.name}, all seeds", share=share)
    try:
        classifiers = train_seeds(lessons, variant.training, device)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return False
    for seed, classifier in zip(missing, classifiers, strict=True):
        artifact(_STAGE, keys[seed], partial(_save, classifier))
    return True


def _save(classifier: nn.Module, folder: Path) -> None:
    save_classifier(classifier, folder / _CLASSIFIER)


def make_treatment(choice: SchemeChoice, regions: Regions, maps: Maps, device: torch.device) -> Treatment:
    """Return a scheme ready for the subset that the maps belong to."""
    scheme = find_scheme(choice.scheme, choice.noise_domain)
    values: NDArray[np.floating] = maps.mean if scheme.scope == "general" else maps.each
    chunks = (values,) if values.ndim == 2 else np.array_split(values, -(-len(values) // 512))
    selected = [
        select_pixels(torch.from_numpy(pixel_maps(chunk, regions.classifier)).to(device), choice.quantile)
        for chunk in chunks
    ]
    return Treatment(
        scheme, selected[0] if values.ndim == 2 else torch.cat(selected), maps.colour, choice.treat_probability
    )


def _report_epoch(report: Report, epochs: int, name: str, epoch: int, numbers: dict[str, float]) -> None:
    report(epoch, epochs, _epoch_done(name, epoch, epochs, numbers), **numbers)


def _epoch_done(name: str, epoch: int, epochs: int, numbers: dict[str, float]) -> str:
    return f"{name}: epoch {epoch} of {epochs}, loss {numbers['loss']:.3f}"
