"""How fast networks go: a region classifier's training, an explainer."""

import time
from contextlib import suppress

import torch
from torch import nn

from fairsal_core.costs.base import PROBE_SECONDS, pace_of
from fairsal_core.experiments import ALL, find_regions, needs_regions
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import RegionTraining, patch_logits, train_atlas, untrained
from fairsal_core.saliency import explain
from fairsal_core.settings import ExperimentConfig, ExplainerChoice, SubjectAuditConfig


class EnoughError(Exception):
    """A probe has seen what it needs."""


def pace_of_regions(faces: FaceDataset, attribute: str, settings: RegionTraining, device: torch.device) -> float:
    """Return how many faces a second the training of a region classifier, or of an atlas, goes through in its epochs."""
    seen: list[tuple[float, float]] = []

    def watch(done: float, total: float, message: str = "", **numbers: object) -> None:
        seen.append((time.perf_counter(), done / total if total else 1.0))
        if seen[-1][0] - seen[0][0] > PROBE_SECONDS:
            raise EnoughError

    short = settings.model_copy(update={"epochs": 50, "validation_images": 1, "compile": False, "patience": 0})
    short = short.model_copy(update={"images": len(faces), "warm_up": 0.0})
    with suppress(EnoughError):
        train_atlas(faces, None if attribute == ALL else (attribute,), short, device=device, progress=watch)
    if len(seen) < 2:
        return float("inf")
    (begun, first), (ended, last) = seen[0], seen[-1]
    return max((last - first) * len(faces) * short.epochs, 1e-9) / max(ended - begun, 1e-9)


def region_training_seconds(config: ExperimentConfig | SubjectAuditConfig, faces: FaceDataset, pace: float) -> float:
    """Return how long a region classifier trains at a pace, on as many of the set's labelled training faces as are asked for."""
    there = int(((faces.split == "train").to_numpy() & faces.labelled(config.confounder)).sum())
    return min(config.regions.images, there) * config.regions.epochs / pace


def pace_of_maps(
    config: ExperimentConfig | SubjectAuditConfig, faces: FaceDataset, few: FaceDataset, device: torch.device
) -> float:
    """Return how many faces a second are mapped, by the region classifier that there is, or by one as it will be."""
    classifier = (
        untrained(config.confounder, config.regions)
        if needs_regions(config, faces)
        else find_regions(config, faces, device).classifier
    )
    classifier.to(device)
    return pace_of(lambda count: patch_logits(classifier, few.take(range(count))), len(few))


def pace_of_explainer(faces: FaceDataset, classifier: nn.Module, choice: ExplainerChoice) -> float:
    """Return how many faces a second are explained."""

    def work(count: int) -> None:
        explain(classifier, faces.images[:count], method=choice.method, settings=choice.settings)

    return pace_of(work, len(faces))
