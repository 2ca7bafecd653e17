"""What an experiment takes: by the pace of earlier runs, or by a second of each of its stages on this machine."""

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

from fairsal_core.classifiers import TrainingTask, Treatment, build_classifier, train_classifier
from fairsal_core.costs.base import PICTURE, PROBE_SECONDS, Cost, Probed, ReadFaces, there_is
from fairsal_core.costs.disk import disk_bytes, pictures_read
from fairsal_core.costs.looking import seconds_to_look
from fairsal_core.costs.methods import MethodCost, costs_of_methods
from fairsal_core.costs.networks import (
    EnoughError,
    pace_of_explainer,
    pace_of_maps,
    pace_of_regions,
    region_training_seconds,
)
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    VALIDATION_PER_CELL,
    Variant,
    has_partner,
    images_trained,
    needs_regions,
    plan_variants,
    split_to_choose_on,
)
from fairsal_core.faces import CELLS, CellCounts, FaceDataset, equal_cells
from fairsal_core.mitigation import METHODS
from fairsal_core.runs import list_runs, read_events
from fairsal_core.schemes import SCHEMES, find_scheme
from fairsal_core.settings import EXPERIMENT, ExperimentConfig, MethodChoice, SchemeChoice, parse_config

PACE = "images_per_second"
_PROBED_FACES = 256
_TEST_SHARE = 0.3  # of what an image costs in training: no way back through the network
_PIXELS = 128 * 128  # bytes of which pixels of a face are hidden


class Pace(NamedTuple):
    """Images a second in training, and the run that trained so fast."""

    images_per_second: float
    run: str


@dataclass(frozen=True)
class Paces:
    """What this machine does in a second of each stage.

    Attributes
    ----------
    regions, maps : float
        Faces in an epoch of the region classifier; faces mapped, 0 where none are.
    training, beside_another, treated : float
        Images in a training of the audited classifier; in one with half the threads, as two processes share the cores; in one
        whose images are treated.
    explaining : dict
        Explainer -> faces explained.
    looking : float
        Seconds for what is looked at in the faces before anything is trained.
    mitigating : dict
        Method -> what it costs; empty where the set has too few faces to try.
    """

    regions: float
    maps: float
    training: float
    explaining: dict[str, float]
    beside_another: float
    treated: float
    looking: float = 0.0
    mitigating: dict[str, MethodCost] = field(default_factory=dict)


def recent_pace(config: ExperimentConfig) -> Pace | None:
    """Return the pace of the newest finished run with this audited classifier and device; None where there is none."""
    for run in list_runs():
        if run.kind != EXPERIMENT or run.status.state != "finished":
            continue
        try:
            theirs = parse_config(dict(run.config))
        except FairsalError:  # of another version
            continue
        if theirs.training.classifier != config.training.classifier or theirs.device != config.device:
            continue
        paces = [event.numbers[PACE] for event in read_events(run.path)[0] if PACE in event.numbers]
        if paces:
            return Pace(median(paces), run.id)
    return None


def training_seconds(config: ExperimentConfig, variants: list[Variant], images_per_second: float) -> float:
    """Return how long all variants and seeds train at a pace, if no earlier run left any of them."""
    images = images_trained(config, variants)
    at_once = 2 if has_partner(images, pick_device(config.device).type) else 1
    return images / images_per_second / at_once


def parse(content: Mapping[str, Any]) -> ExperimentConfig:
    """Return the experiment that a run's config describes."""
    return parse_config(dict(content))


def depends_on(config: ExperimentConfig) -> Any:
    """Return what the paces of an experiment depend on."""
    return {
        "faces": (config.data, config.target, config.confounder),
        "regions": config.regions.model_dump(
            mode="json", exclude={"images", "epochs", "validation_images", "seed", "warm_up"}
        ),
        "training": config.training.model_dump(mode="json", include={"classifier", "batch_size", "precision"}),
        "treated": treated.model_dump(mode="json") if (treated := _slowest(config)) else None,
        "explainers": [choice.model_dump(mode="json") for choice in config.attention.explainers],
        "mitigation": [choice.model_dump(mode="json") for choice in config.mitigation],
        "device": config.device,
    }


def probe(config: ExperimentConfig, read: ReadFaces) -> Paces:
    """Do a second of each stage of an experiment, on a few faces of the train split; nothing is kept."""
    faces = read(config.data)
    device = pick_device(config.device)
    few = faces.with_label(config.confounder).in_split("train").sample(_PROBED_FACES)
    regions = pace_of_regions(few, config.confounder, config.regions, device)
    classifier = build_classifier(config.training.classifier).eval().to(device)
    return Paces(
        regions,
        pace_of_maps(config, faces, few, device) if config.schemes else 0.0,
        _pace_of_training(few, config, device),
        {choice.name: pace_of_explainer(few, classifier, choice) for choice in config.attention.explainers},
        _pace_beside_another(few, config, device),
        _pace_of_training(few, config, device, _slowest(config)),
        seconds_to_look(few, config.data, config.target, config.confounder),
        costs_of_methods(config.mitigation, classifier, faces, config.target, config.confounder),
    )


def cost(config: ExperimentConfig, read: ReadFaces, probed: Probed[Paces], trained: Collection[Variant] = ()) -> Cost:
    """Return what an experiment takes at these paces; raises FairsalError if the faces do not allow it.

    `trained` are variants that another experiment of the same faces and seeds has trained by then.
    """
    faces = read(config.data)
    variants = plan_variants(config, faces.listed)
    return Cost(
        {"starting": probed.started, **stage_seconds(config, variants, faces, probed.paces, trained)},
        _memory(config, variants, faces, probed.memory),
        disk_bytes(config, variants, faces),
    )


def _memory(config: ExperimentConfig, variants: Sequence[Variant], faces: FaceDataset, tried: int) -> dict[str, int]:
    """Return what is held at once while the largest training goes on, and beside it the partner's."""
    own_pixels = _PIXELS if any(SCHEMES.find(choice.scheme).scope == "specific" for choice in config.schemes) else 0
    training = max(variant.counts.total for variant in variants) * (PICTURE + own_pixels)
    at_once = has_partner(images_trained(config, list(variants)), pick_device(config.device).type)
    return there_is(
        {
            "program, networks and batches": tried,
            "pictures": pictures_read(config, variants, faces) * PICTURE,
            "faces of a training": training,
            "a second process, for every other training": (tried + training) if at_once else 0,
        }
    )


def stage_seconds(
    config: ExperimentConfig,
    variants: Sequence[Variant],
    faces: FaceDataset,
    paces: Paces,
    trained: Collection[Variant] = (),
) -> dict[str, float]:
    """Return how long each stage takes, in the order in which they are done; without stages that there are not."""
    seeds, own = len(config.seeds), list(variants)
    left = [variant for variant in own if variant not in trained]
    images = float(images_trained(config, left))
    alone = not has_partner(images_trained(config, own), pick_device(config.device).type)
    treated = images_trained(config, [variant for variant in left if variant.scheme])
    images += treated * (paces.training / paces.treated - 1)  # as many as would take as long untreated
    trainings = images / (paces.training if alone else 2 * paces.beside_another)
    per_cell = config.test_per_cell or min(
        CellCounts.of(faces.in_split(config.test_split), config.target, config.confounder)[cell] for cell in CELLS
    )
    # Each variant is judged clean, and treated by one general map or by several.
    judged = seeds * len(CELLS) * per_cell * sum(1 + len(variant.treated_by) for variant in own)
    subjects = seeds * (len(own) + len(config.mitigation))
    seconds = {
        "looking at the faces": paces.looking,
        "region classifier": (
            region_training_seconds(config, faces, paces.regions) if needs_regions(config, faces) else 0.0
        ),
        "region maps": seeds * config.counts.total / paces.maps if config.schemes else 0.0,
        "training": trainings,
        "mitigation": sum(
            _method_seconds(config, faces, choice, paces, trainings / len(own)) for choice in config.mitigation
        ),
        "testing": judged * _TEST_SHARE / paces.training,
        "explaining": sum(subjects * config.attention.explained_faces / pace for pace in paces.explaining.values()),
    }
    return there_is(seconds)


def _method_seconds(
    config: ExperimentConfig, faces: FaceDataset, choice: MethodChoice, paces: Paces, otherwise: float
) -> float:
    """Return how long a method takes for all seeds; of one that was not tried as long as a training."""
    if choice.name not in paces.mitigating:
        return otherwise
    split, own = config.mitigation_faces, config.counts.total
    learned = {"mitigation split": split, "training faces": own}.get(
        METHODS.find(choice.method).learns_from, split + own
    )
    held_out = faces.in_split(split_to_choose_on(config)).listed
    chosen_on = len(CELLS) * equal_cells(held_out, config.target, config.confounder, VALIDATION_PER_CELL)
    return len(config.seeds) * paces.mitigating[choice.name].seconds(learned + chosen_on)


def _slowest(config: ExperimentConfig) -> SchemeChoice | None:
    """Return the scheme whose training takes longest: one that draws noise, if there is one."""
    noisy = (choice for choice in config.schemes if SCHEMES.find(choice.scheme).kind == "noise")
    return next(noisy, config.schemes[0] if config.schemes else None)


def _pace_beside_another(faces: FaceDataset, config: ExperimentConfig, device: torch.device) -> float:
    """Return the pace of a training with half the threads, which is what a partner and whoever has one train with."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(threads // 2, 1))
    try:
        return _pace_of_training(faces, config, device)
    finally:
        torch.set_num_threads(threads)


def _pace_of_training(
    faces: FaceDataset, config: ExperimentConfig, device: torch.device, choice: SchemeChoice | None = None
) -> float:
    """Return how many images a second a training goes through, treated by a scheme that hides their upper third if one is given."""
    settings, treatment = config.training, None
    if choice is not None:
        hidden = torch.zeros(faces.images.shape[1:3], dtype=torch.bool, device=device)
        hidden[: len(hidden) // 3] = True
        scheme = find_scheme(choice.general.scheme, choice.noise_domain)
        treatment = Treatment(scheme, hidden, (0.5, 0.5, 0.5), choice.treat_probability)
    paces: list[float] = []
    begun = time.perf_counter()

    def watch(epoch: int, classifier: nn.Module, numbers: dict[str, float]) -> None:
        paces.append(numbers[PACE])
        if time.perf_counter() - begun > PROBE_SECONDS:
            raise EnoughError

    some = faces.take(range(min(len(faces), 2 * settings.batch_size)))
    labels = torch.arange(len(some)).numpy() % 2 == 0
    short = settings.model_copy(update={"epochs": 1000, "weights": "random"})
    with suppress(EnoughError):
        train_classifier(TrainingTask(some.images, labels, 0, treatment, watch), short, device)
    return median(paces[1:] or paces)  # the first pays for what is loaded once
