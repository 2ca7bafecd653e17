"""What an audit of classifiers takes: by a moment of each classifier's scoring and explaining on this machine."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import nn

from fairsal_core.classifiers import predict_logits
from fairsal_core.costs.base import PICTURE, PROBED_FACES, RELEVANCE, Cost, Probed, ReadFaces, pace_of, there_is
from fairsal_core.costs.disk import packed_bytes
from fairsal_core.costs.looking import seconds_to_look
from fairsal_core.costs.networks import pace_of_explainer, pace_of_maps, pace_of_regions, region_training_seconds
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    MAPPED_FACES,
    SANITY_FACES,
    faces_judged,
    find_subjects,
    needs_regions,
)
from fairsal_core.faces import FaceDataset
from fairsal_core.settings import SubjectAuditConfig, parse_audit


class SubjectPace(NamedTuple):
    """Faces a second of one classifier: scored, and explained by each explainer that fits it."""

    scored: float
    explained: Mapping[str, float]


class AuditPaces(NamedTuple):
    """What this machine does in a moment of each stage; `regions` are faces in an epoch of the region classifier, 0 for none.

    `maps` are faces whose region map is made, 0 where nothing is hidden; `looking` are seconds for what is looked at in the
    faces before any is judged.
    """

    subjects: Mapping[str, SubjectPace]
    regions: float
    maps: float
    looking: float = 0.0


def parse(content: Mapping[str, Any]) -> SubjectAuditConfig:
    """Return the audit that a run's config describes; raises FairsalError for one of tables alone."""
    config = parse_audit(dict(content))
    if not isinstance(config, SubjectAuditConfig):
        raise FairsalError("An audit of tables alone takes seconds: there is nothing to try.")
    return config


def depends_on(config: SubjectAuditConfig) -> Any:
    """Return what the paces of an audit depend on."""
    return {
        "faces": (config.data, config.confounder),
        "subjects": config.subjects,
        "regions": config.regions.model_dump(mode="json") if config.schemes else None,
        "explainers": [choice.model_dump(mode="json") for choice in config.attention.explainers],
        "device": config.device,
    }


def probe(config: SubjectAuditConfig, read: ReadFaces) -> AuditPaces:
    """Do a moment of each stage of an audit, on a few of its faces; nothing is kept.

    Raises
    ------
    FairsalError
        If a classifier is not there.
    """
    faces = read(config.data)
    device = pick_device(config.device)
    few = faces.with_label(config.confounder).sample(PROBED_FACES)
    paces = {}
    for subject in find_subjects(config.subjects):
        paces[subject.name] = _pace_of_subject(few, subject.load().to(device).eval(), config)
    looking = seconds_to_look(few, config.data, config.target, config.confounder)
    return AuditPaces(paces, *_pace_of_maps(config, faces, few, device), looking)


def cost(config: SubjectAuditConfig, read: ReadFaces, probed: Probed[AuditPaces]) -> Cost:
    """Return what an audit takes at these paces."""
    faces = read(config.data)
    maps = len(config.subjects) * len(config.attention.explainers) * config.attention.explained_faces * RELEVANCE
    pictures = min(len(faces), faces_judged(config, faces) + _mapped(config, faces))
    memory = {"program, networks and batches": probed.memory, "pictures": pictures * PICTURE, "maps of attention": maps}
    disk = {
        "pictures": packed_bytes(faces, pictures),
        # Each map is in the cache, for whoever wants it next; those of the first seed's that pages show are in the run too.
        "maps of attention": 2 * maps,
        "region maps": _mapped(config, faces) * config.regions.per_side**2 * 2,
    }
    seconds = {"starting": probed.started, **audit_seconds(config, faces, probed.paces)}
    return Cost(seconds, there_is(memory), there_is(disk))


def _mapped(config: SubjectAuditConfig, faces: FaceDataset) -> int:
    """Return how many faces are mapped: for what is hidden, and to judge the region classifier."""
    if not config.schemes:
        return 0
    held_out = min(int((faces.split == "val").sum()), config.regions.validation_images)
    return min(MAPPED_FACES, len(faces)) + held_out


def audit_seconds(config: SubjectAuditConfig, faces: FaceDataset, paces: AuditPaces) -> dict[str, float]:
    """Return how long each stage takes, in the order in which they are done; without stages that there are not."""
    judged = faces_judged(config, faces)
    passes = judged * (1 + 2 * len(config.schemes))  # clean; the region hidden, and as much elsewhere
    explained = config.attention.explained_faces
    first = next(iter(paces.subjects.values()))
    seconds = {
        "looking at the faces": paces.looking,
        "region classifier": region_training_seconds(config, faces, paces.regions) if paces.regions else 0.0,
        "region map": _mapped(config, faces) / paces.maps if paces.maps else 0.0,
        **{f"scores of {name}": passes / pace.scored for name, pace in paces.subjects.items()},
        **{
            f"{name} explained by {explainer}": explained / each
            for name, pace in paces.subjects.items()
            for explainer, each in pace.explained.items()
        },
        "explaining random weights": sum(min(SANITY_FACES, explained) / each for each in first.explained.values()),
    }
    return there_is(seconds)


def _pace_of_maps(
    config: SubjectAuditConfig, faces: FaceDataset, few: FaceDataset, device: torch.device
) -> tuple[float, float]:
    """Return faces in an epoch of the region classifier and faces mapped, a second; 0 for what there is not to do."""
    if not config.schemes:
        return 0.0, 0.0
    trained = pace_of_regions(few, config.confounder, config.regions, device) if needs_regions(config, faces) else 0.0
    return trained, pace_of_maps(config, faces, few, device)


def _pace_of_subject(faces: FaceDataset, network: nn.Module, config: SubjectAuditConfig) -> SubjectPace:
    explained = {}
    for choice in config.attention.explainers:
        with suppress(FairsalError):  # it does not fit this classifier, which the audit will say
            explained[choice.name] = pace_of_explainer(faces, network, choice)
    return SubjectPace(pace_of(lambda count: predict_logits(network, faces.images[:count]), len(faces)), explained)
