"""What mapping many faces takes: by a moment of it on this machine."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fairsal_core.costs.base import PICTURE, PROBED_FACES, Cost, Probed, ReadFaces, pace_of, there_is
from fairsal_core.costs.disk import packed_bytes
from fairsal_core.device import pick_device
from fairsal_core.errors import unknown_name
from fairsal_core.experiments import available_regions
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import load_regions, region_maps
from fairsal_core.settings import MapJob, checked_settings


class MapPaces(NamedTuple):
    """Faces mapped a second, and bytes that the map of one takes."""

    maps: float
    bytes: int


def parse(content: Mapping[str, Any]) -> MapJob:
    """Return the mapping that a run's config describes."""
    return checked_settings(MapJob, dict(content))


def depends_on(config: MapJob) -> Any:
    """Return what the pace of a mapping depends on."""
    return config.model_dump(mode="json", include={"data", "attribute", "measure", "precision", "device"})


def probe(config: MapJob, read: ReadFaces) -> MapPaces:
    """Map a few faces; raises FairsalError if no region classifier of these faces knows the attribute."""
    faces = read(config.data)
    paths = available_regions(faces, config.data)
    if config.attribute not in paths:
        raise unknown_name("region classifier of these faces for attribute", config.attribute, paths)
    classifier = load_regions(paths[config.attribute], config.attribute).to(pick_device(config.device))
    few = faces.sample(PROBED_FACES)
    pace = pace_of(
        lambda count: region_maps(
            classifier, few.take(range(count)).images, config.measure, precision=config.precision
        ),
        len(few),
    )
    return MapPaces(pace, 2 * classifier.grid.count)


def cost(config: MapJob, read: ReadFaces, probed: Probed[MapPaces]) -> Cost:
    """Return what a mapping takes at this pace."""
    faces = read(config.data)
    count = _mapped(config, faces)
    memory = {"program, network and batches": probed.memory, "pictures": count * PICTURE}
    disk = {"pictures": packed_bytes(faces, count), "region maps": count * probed.paces.bytes}
    seconds = {"starting": probed.started, "mapping": count / probed.paces.maps}
    return Cost(seconds, memory, there_is(disk))


def _mapped(config: MapJob, faces: FaceDataset) -> int:
    there = int((faces.split == config.split).sum())
    return there if config.images is None else min(config.images, there)
