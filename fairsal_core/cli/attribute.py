"""`attribute`."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairsal_core.cli.costing import add_cost, cost_outcome
from fairsal_core.cli.options import add_data, add_device, source
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.photo import parse_crop, portrait_in
from fairsal_core.cli.progress import show_progress
from fairsal_core.device import pick_device
from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.experiments import available_regions
from fairsal_core.faces import list_faces, load_faces, packed_folder
from fairsal_core.files import replacing
from fairsal_core.home import cache_folder
from fairsal_core.output import tell
from fairsal_core.regions import (
    DEFAULT_MEASURE,
    MEASURES,
    RegionClassifier,
    bundled_classifier,
    counted_pixel_map,
    estimate_cost,
    load_atlas,
    load_regions,
    region_maps,
    summarise_maps,
    to_pixel_map,
    uncounted_patches,
)
from fairsal_core.scaling import on_ray, open_maps, stored_maps
from fairsal_core.settings import ATTRIBUTION, MapJob


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--image",
        type=Path,
        help="PNG, JPEG or WebP photo, whose largest face is found and aligned; without it: the mean over --sample faces of --data",
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--face", type=int, help="of several faces in the image this one, 1 being the largest")
    part.add_argument(
        "--crop",
        type=parse_crop,
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="part of the image to take as it is, in pixels, where no face is found",
    )
    add_data(parser)
    parser.add_argument("--attribute", help="attribute to map")
    parser.add_argument(
        "--regions",
        type=Path,
        help="region classifier or atlas to use instead of the one there is: for an image or CelebA the bundled atlas of "
        "real faces, for the drawn faces the bundled ones, for others what was trained of them",
    )
    parser.add_argument("--measure", default=DEFAULT_MEASURE, choices=sorted(MEASURES), help="confidence measure")
    parser.add_argument("--split", default="test", choices=("train", "val", "test"), help="split for the mean map")
    parser.add_argument(
        "--sample", type=int, default=500, help="faces for the mean map, drawn at random; 0 for the whole split"
    )
    parser.add_argument(
        "--class", dest="of_class", help="only faces of this class, such as Blond_Hair or 'not Blond_Hair'"
    )
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"), help="bf16 is approximate")
    add_device(parser)
    add_cost(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="NPY file for the pixel map, 128 x 128 float32 in [0, 1]; NaN where pixels are not from the image",
    )
    parser.add_argument("--engine", default="local", choices=("local", "ray"), help="ray: shards on a Ray cluster")
    parser.add_argument("--address", default="", help="the Ray cluster, HOST:PORT (default: this machine's)")
    parser.add_argument("--storage", default="", help="URL, such as s3://BUCKET/FOLDER, where nodes share no workspace")


def do(options: argparse.Namespace) -> Outcome:
    if not options.attribute and not options.regions:
        raise FairsalError("Say which map is wanted: --attribute, or --regions FILE of one attribute.")
    if not options.image and (options.face is not None or options.crop):
        raise FairsalError("A face or a crop is of an image: add --image FILE.")
    if options.cost:
        return _cost(options)
    classifier = _classifier(options)
    classifier.to(pick_device(options.device))
    pixels, count, more, said = _map_of_image(classifier, options) if options.image else _mean_map(classifier, options)
    low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
    result = (pixels - low) / (high - low or 1)
    with replacing(options.out) as temporary, temporary.open("wb") as file:
        np.save(file, result)
    y, x = (int(index) for index in np.unravel_index(np.nanargmax(result), result.shape))
    about = {
        "map": str(options.out),
        "attribute": classifier.attribute,
        "trained_on": {name: classifier.data.get(name) for name in ("name", "train_faces")},
        "measure": options.measure,
        "images": count,
        "range": {"low": round(low, 4), "high": round(high, 4)},
        "largest_standard_error": None,
        "peak": {"x": x, "y": y},
        **more,
    }
    shown = (
        f"Map of {classifier.attribute} over {count} image(s), {options.measure} {low:.3f} to {high:.3f}, "
        f"strongest at x={x}, y={y} -> {options.out}"
    )
    return Outcome(about, "\n".join([*said, shown]))


def _cost(options: argparse.Namespace) -> Outcome:
    """Return what mapping a split takes by the region classifier that there is."""
    if options.image or options.regions or options.of_class:
        raise FairsalError("--cost is of mapping a split: leave out --image, --regions and --class.")
    job = MapJob(
        data=source(options.data),
        attribute=options.attribute,
        measure=options.measure,
        split=options.split,
        images=options.sample or None,
        precision=options.precision,
        device=options.device,
    )
    return cost_outcome(ATTRIBUTION, job.model_dump(mode="json"))


def _classifier(options: argparse.Namespace) -> RegionClassifier:
    """Return the region classifier that is named, or else the one there is for these faces."""
    if options.regions:
        return load_regions(options.regions, options.attribute)
    if options.image and options.data == DEMO:
        return load_atlas().of(options.attribute)
    data = source(options.data)
    if data == DEMO:
        return bundled_classifier(options.attribute)
    paths = available_regions(load_faces(data, show_progress()), data)
    if options.attribute not in paths:
        raise unknown_name("region classifier of these faces for attribute", options.attribute, paths)
    return load_regions(paths[options.attribute], options.attribute)


Found = tuple[NDArray[np.float32], int, dict[str, Any], tuple[str, ...]]
"""A pixel map in the measure's unit, over how many images, what else there is to tell, and what to say above the map."""


def _map_of_image(classifier: RegionClassifier, options: argparse.Namespace) -> Found:
    """Return the map of the face in a photo; what is not from the photo has no value."""
    portrait = portrait_in(options.image, options.face, options.crop)
    positions = region_maps(classifier, portrait.pixels[None], options.measure, show_progress(), options.precision)[0]
    if portrait.outside is None:
        pixels = to_pixel_map(positions, classifier.grid)
    else:
        uncounted = uncounted_patches(portrait.outside, classifier.grid)
        pixels = counted_pixel_map(positions, uncounted, portrait.outside, classifier.grid)
    return pixels, 1, {"photo": portrait.about, "notes": list(portrait.said)}, (_trained_on(classifier), *portrait.said)


def _trained_on(classifier: RegionClassifier) -> str:
    """Return what the region classifier knows of the world, for whoever brings a photo."""
    count, name = classifier.data.get("train_faces"), classifier.data.get("name")
    many = f"{count:,} faces" if isinstance(count, int) else "faces"
    drawn = ", which are drawn: it has never seen a photo" if name == DEMO else ""
    return f"Trained on {many} of {name or 'a set without a name'}{drawn}; its map says what it learned there."


def _mean_map(classifier: RegionClassifier, options: argparse.Namespace) -> Found:
    """Return the mean map of many faces."""
    maps, more = _maps_of_faces(classifier, options)
    summary = summarise_maps(maps, classifier.grid)
    if summary.count > 1:
        more["largest_standard_error"] = round(float(summary.standard_error.max()), 4)
    return summary.mean, summary.count, more, ()


def _maps_of_faces(classifier: RegionClassifier, options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """Return the region maps of many faces, (N, side, side), and what it took."""
    if options.storage and options.engine != "ray":
        raise FairsalError("A storage is for the nodes of a cluster: add --engine ray, or leave it out.")
    listed = list_faces(source(options.data), show_progress())
    faces = _chosen_faces(options, classifier.attribute, listed)
    cost = estimate_cost(classifier, len(faces), options.precision)
    tell(f"Mapping {len(faces):,} faces: about {cost.seconds:,.0f} s, {cost.bytes / 2**20:,.1f} MB")
    path = stored_maps(
        classifier,
        faces,
        options.measure,
        packed_folder(listed, cache_folder()),
        show_progress(),
        options.precision,
        engine=on_ray(options.device, options.address, options.storage) if options.engine == "ray" else None,
        storage_url=options.storage,
    )
    maps, names = open_maps(path)
    return maps, {
        "estimated_seconds": round(cost.seconds, 1),
        "bytes": cost.bytes,
        "region_maps": str(path),
        "left_out": len(faces) - len(names),
    }


def _chosen_faces(options: argparse.Namespace, attribute: str, listed: Any) -> Any:
    faces = listed.in_split(options.split)
    if options.of_class:
        codes, names = faces.classes(attribute)
        if options.of_class not in names:
            raise unknown_name(f"class of {attribute}", options.of_class, names)
        faces = faces.take(np.flatnonzero(codes == names.index(options.of_class)))
    if not len(faces):
        raise FairsalError(f"There is no such face in the {options.split} split; choose another --split or --class.")
    return faces.sample(options.sample) if options.sample > 0 else faces
