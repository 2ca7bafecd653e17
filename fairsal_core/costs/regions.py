"""What training a region classifier, or an atlas, takes: by a second of its steps on this machine."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fairsal_core.costs.base import PICTURE, Cost, Probed, ReadFaces, pace_of, there_is
from fairsal_core.costs.disk import packed_bytes
from fairsal_core.costs.networks import pace_of_regions
from fairsal_core.device import pick_device
from fairsal_core.experiments import ALL
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import atlas_attributes, patch_logits, untrained, weight_bytes
from fairsal_core.settings import RegionJob, checked_settings

_PROBED_FACES = 256


class RegionPaces(NamedTuple):
    """Faces a second in an epoch of the training, and mapped."""

    training: float
    maps: float


def parse(content: Mapping[str, Any]) -> RegionJob:
    """Return the training that a run's config describes."""
    return checked_settings(RegionJob, dict(content))


def depends_on(config: RegionJob) -> Any:
    """Return what the pace of a training depends on."""
    asked = config.training.model_dump(
        mode="json", exclude={"images", "epochs", "validation_images", "seed", "warm_up"}
    )
    return (config.data, config.attribute, config.device, asked)


def probe(config: RegionJob, read: ReadFaces) -> RegionPaces:
    """Train for a second on a few faces; nothing is kept."""
    few, device = _labelled(config, read).in_split("train").sample(_PROBED_FACES), pick_device(config.device)
    trained = pace_of_regions(few, config.attribute, config.training, device)
    classifier = untrained(config.attribute, config.training).to(device)
    return RegionPaces(trained, pace_of(lambda count: patch_logits(classifier, few.take(range(count))), len(few)))


def cost(config: RegionJob, read: ReadFaces, probed: Probed[RegionPaces]) -> Cost:
    """Return what a training takes at this pace, if it does not stop early."""
    faces, training = _labelled(config, read), config.training
    learned = min(training.images, int((faces.split == "train").sum()))
    held_out = min(training.validation_images, int((faces.split == "val").sum()))
    pace = probed.paces.training
    names = atlas_attributes(faces) if config.attribute == ALL else (config.attribute,)
    classes = sum(len(faces.classes(name)[1]) for name in names)
    return Cost(
        {
            "starting": probed.started,
            "training": learned * training.epochs / pace,
            "judging": held_out / probed.paces.maps,
        },
        {"program, network and batches": probed.memory, "pictures": (learned + held_out) * PICTURE},
        there_is({"pictures": packed_bytes(faces, learned + held_out), "weights": weight_bytes(training, classes)}),
    )


def _labelled(config: RegionJob, read: ReadFaces) -> FaceDataset:
    faces = read(config.data)
    return faces if config.attribute == ALL else faces.with_label(config.attribute)
