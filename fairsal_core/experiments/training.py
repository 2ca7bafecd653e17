"""The stage that trains a variant with a seed: one by one, or the seeds of a variant at once."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from fairsal_core.classifiers import (
    CLASSIFIERS,
    OnEpochEnd,
    TrainingTask,
    Treatment,
    faster_together,
    save_classifier,
    train_classifier,
    train_seeds,
)
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.experiment import Experiment
from fairsal_core.experiments.maps import make_treatment
from fairsal_core.experiments.planning import Variant
from fairsal_core.faces import FaceDataset, biased_subset, data_digest
from fairsal_core.output import tell
from fairsal_core.progress import Progress
from fairsal_core.runs import Stage
from fairsal_core.schemes import SCHEMES
from fairsal_core.versions import STAGES

_STAGE = "classifiers"
_CLASSIFIER = "classifier.safetensors"
_LEAST_BATCH = 8  # smaller ones would make batch norm guess

Tell = Callable[[int, dict[str, float]], None]


def training_stage(
    experiment: Experiment, variant: Variant, seed: int, begins: Callable[[], None] = lambda: None
) -> Stage[Path]:
    """Return the stage that trains a variant with a seed; it gives the file of the weights.

    `begins` is called if the training has to be done now.
    """
    config, maps = experiment.plan.config, experiment.maps[seed]
    depends_on = {
        "faces": data_digest(_subset(experiment, variant, seed), config.target, config.confounder),
        "target": config.target,
        "confounder": config.confounder,
        "counts": variant.counts.model_dump(),
        "seed": seed,
        "training": variant.training.model_dump(mode="json"),
        "device": experiment.device.type,
        "scheme": variant.scheme.model_dump() if variant.scheme else None,
        "maps": maps.key if variant.scheme and maps else None,
        "extensions": [
            CLASSIFIERS.origin(variant.training.classifier),
            SCHEMES.origin(variant.scheme.scheme) if variant.scheme else "",
        ],
    }

    def build(folder: Path, progress: Progress) -> None:
        begins()
        task = training_task(experiment, variant, seed, partial(_tell, experiment, variant))
        _save(train_classifier(task, variant.training, experiment.device), folder)

    return Stage(_STAGE, STAGES[_STAGE], depends_on, build, read=lambda folder: folder / _CLASSIFIER)


def train_variant(
    experiment: Experiment, variant: Variant, seed: int, begins: Callable[[], None] = lambda: None
) -> Path:
    """Return the weights of a variant and seed; `begins` is called if it has to be trained now.

    Where the device has too little memory for its batches they are halved, and the run says so. What is then trained is
    kept under the smaller batch: it is not what was asked for.

    Raises
    ------
    FairsalError
        If not even batches of `_LEAST_BATCH` fit.
    """
    try:
        return training_stage(experiment, variant, seed, begins).make(experiment.progress)
    except torch.OutOfMemoryError as error:
        device, batch = experiment.device, variant.training.batch_size // 2
        if batch < _LEAST_BATCH:
            raise FairsalError(
                f"There is not enough memory on {device} for batches of {variant.training.batch_size}: free some, or use cpu."
            ) from error
    said = f"{variant.name}: too little memory on {device}, so trained in batches of {batch}, not {2 * batch}."
    tell(said)
    experiment.progress(0, 1, said, batch_size=batch)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    smaller = replace(variant, training=variant.training.model_copy(update={"batch_size": batch}))
    return train_variant(experiment, smaller, seed, begins)


def training_task(experiment: Experiment, variant: Variant, seed: int, tell: Tell) -> TrainingTask:
    """Return what a variant learns from with this seed; `tell` hears of each epoch.

    The shorter variants that it passes are left in the cache.
    """
    plan, maps = experiment.plan, experiment.maps[seed]
    subset = _subset(experiment, variant, seed)
    treatment = None
    if variant.scheme and experiment.regions and maps:
        treatment = make_treatment(variant.scheme, experiment.regions, maps, experiment.device)
        _say_where_nothing_is_hidden(experiment, variant.name, treatment)
    listener = _listener(experiment, variant, seed, tell)
    return TrainingTask(subset.images, subset.labels(plan.config.target), seed, treatment, listener)


def _say_where_nothing_is_hidden(experiment: Experiment, variant: str, treatment: Treatment) -> None:
    empty, maps = treatment.of_no_effect, treatment.selected.shape[0] if treatment.selected.ndim > 2 else 1
    if empty:
        which = "the map is" if maps == 1 else f"{empty} of {maps} maps are"
        experiment.note(f"{variant}: {which} constant, so nothing is hidden there.")


def _subset(experiment: Experiment, variant: Variant, seed: int) -> FaceDataset:
    config = experiment.plan.config
    return biased_subset(experiment.plan.faces, config.target, config.confounder, variant.counts, seed=seed)


def _listener(experiment: Experiment, variant: Variant, seed: int, tell: Tell) -> OnEpochEnd:
    def on_epoch_end(epoch: int, classifier: nn.Module, numbers: dict[str, float]) -> None:
        if epoch in variant.passes:
            shorter = replace(variant, training=variant.training.model_copy(update={"epochs": epoch}))
            training_stage(experiment, shorter, seed).put(partial(_save, classifier))
        tell(epoch, {**numbers, **experiment.watch(classifier)})

    return on_epoch_end


class SeedsAtOnce:
    """The seeds of a variant, trained at once if this device does that faster. Those in the cache already are left out."""

    def __init__(self, experiment: Experiment, variant: Variant) -> None:
        self._experiment, self._variant = experiment, variant
        self._stages = {
            seed: stage
            for seed in experiment.plan.config.seeds
            if not (stage := training_stage(experiment, variant, seed)).is_made
        }
        self._tasks = [training_task(experiment, variant, seed, partial(self._tell, seed)) for seed in self._stages]
        self._told = 0
        self.faster = faster_together(self._tasks, variant.training, experiment.device)

    def train(self) -> bool:
        """Train them, leave them for `train_variant` to find, and return whether that could be done: it takes more memory."""
        try:
            classifiers = train_seeds(self._tasks, self._variant.training, self._experiment.device)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return False
        for stage, classifier in zip(self._stages.values(), classifiers, strict=True):
            stage.put(partial(_save, classifier))
        return True

    def _tell(self, seed: int, epoch: int, numbers: dict[str, float]) -> None:
        self._told += 1
        said = _of_epoch(self._variant, epoch, numbers)
        self._experiment.progress.beside(f"{self._variant.name}, seed {seed}", said, **numbers)
        self._experiment.progress(self._told, len(self._stages) * self._variant.training.epochs, said)


def _tell(experiment: Experiment, variant: Variant, epoch: int, numbers: dict[str, float]) -> None:
    experiment.progress(epoch, variant.training.epochs, _of_epoch(variant, epoch, numbers), **numbers)


def _of_epoch(variant: Variant, epoch: int, numbers: dict[str, float]) -> str:
    return f"{variant.name}: epoch {epoch} of {variant.training.epochs}, loss {numbers['loss']:.3f}"


def _save(classifier: nn.Module, folder: Path) -> None:
    save_classifier(classifier, folder / _CLASSIFIER)
