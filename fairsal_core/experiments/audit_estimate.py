"""How long an audit of classifiers will take: by a moment of each classifier's scoring and explaining on this machine."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import nn

from fairsal_core.classifiers import predict_logits
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.auditing import faces_judged
from fairsal_core.experiments.auditing_subjects import MAPPED_FACES
from fairsal_core.experiments.estimate import MAP_SHARE, pace_of, pace_of_explainer, pace_of_regions
from fairsal_core.experiments.explaining import SANITY_FACES
from fairsal_core.experiments.regions import find_regions, needs_regions
from fairsal_core.experiments.subjects import find_subjects
from fairsal_core.faces import CELLS, FaceDataset
from fairsal_core.regions import patch_logits
from fairsal_core.settings import SubjectAuditConfig

_PROBED_FACES = 64


class SubjectPace(NamedTuple):
    """Faces a second of one classifier: scored, and explained by each explainer that fits it."""

    scored: float
    explained: Mapping[str, float]


class AuditPaces(NamedTuple):
    """What this machine does in a moment of each stage; `regions` are faces in an epoch of the region classifier, 0 for none.

    `maps` are faces whose region map is made, 0 where nothing is hidden.
    """

    subjects: Mapping[str, SubjectPace]
    regions: float
    maps: float


def probe_audit(config: SubjectAuditConfig, faces: FaceDataset) -> AuditPaces:
    """Do a moment of each stage of an audit, on a few of its faces, and return how fast that went; nothing is kept.

    Parameters
    ----------
    config : SubjectAuditConfig
        Whose classifiers, explainers and device.
    faces : FaceDataset
        Packed; a few of them are used.

    Raises
    ------
    FairsalError
        If a classifier is not there.
    """
    device = pick_device(config.device)
    few = faces.with_label(config.confounder).sample(_PROBED_FACES)
    paces = {}
    for subject in find_subjects(config.subjects):
        paces[subject.name] = _pace_of_subject(few, subject.load().to(device).eval(), config)
    return AuditPaces(paces, *_pace_of_maps(config, faces, few, device))


def audit_seconds(config: SubjectAuditConfig, faces: FaceDataset, paces: AuditPaces) -> dict[str, float]:
    """Return how long each stage of an audit takes at these paces, if no earlier one left anything of it.

    Returns
    -------
    dict of str to float
        Stage -> seconds, in the order in which they are done; without stages that there are not.
    """
    judged = len(CELLS) * faces_judged(config, faces)
    passes = judged * (1 + 2 * len(config.schemes))  # clean; the region hidden, and as much elsewhere
    explained = config.attention.explained_faces
    first = next(iter(paces.subjects.values()))
    mapped = min(MAPPED_FACES, len(faces)) + min(int((faces.split == "val").sum()), config.regions.validation_images)
    seconds = {
        "region classifier": config.regions.images * config.regions.epochs / paces.regions if paces.regions else 0.0,
        "region map": mapped / paces.maps if paces.maps else 0.0,
        **{f"scores of {name}": passes / pace.scored for name, pace in paces.subjects.items()},
        **{
            f"{name} explained by {explainer}": explained / each
            for name, pace in paces.subjects.items()
            for explainer, each in pace.explained.items()
        },
        "explaining random weights": sum(min(SANITY_FACES, explained) / each for each in first.explained.values()),
    }
    return {stage: took for stage, took in seconds.items() if took > 0}


def _pace_of_maps(
    config: SubjectAuditConfig, faces: FaceDataset, few: FaceDataset, device: torch.device
) -> tuple[float, float]:
    """Return faces in an epoch of the region classifier and faces mapped, a second; 0 for what there is not to do."""
    if not config.schemes:
        return 0.0, 0.0
    if needs_regions(config, faces):
        trained = pace_of_regions(few, config.confounder, config.regions, device)
        return trained, trained / MAP_SHARE
    classifier = find_regions(config, faces, device).classifier
    return 0.0, pace_of(lambda count: patch_logits(classifier, few.take(range(count))), len(few))


def _pace_of_subject(faces: FaceDataset, network: nn.Module, config: SubjectAuditConfig) -> SubjectPace:
    explained = {}
    for choice in config.attention.explainers:
        with suppress(FairsalError):  # it does not fit this classifier, which the audit will say
            explained[choice.name] = pace_of_explainer(faces, network, choice)
    return SubjectPace(pace_of(lambda count: predict_logits(network, faces.images[:count]), len(faces)), explained)
