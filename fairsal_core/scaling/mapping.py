"""A job beside experiments: map many faces with a region classifier, and average."""

from pathlib import Path
from typing import Any

import pandas as pd

from fairsal_core.device import pick_device
from fairsal_core.errors import unknown_name
from fairsal_core.experiments import available_regions
from fairsal_core.faces import list_faces, load_faces, packed_folder
from fairsal_core.home import cache_folder
from fairsal_core.regions import (
    load_regions,
    weights_digest,
)
from fairsal_core.results import class_means, write_means
from fairsal_core.runs import JobProgress
from fairsal_core.scaling.shards import open_maps, stored_maps
from fairsal_core.settings import MapJob, checked_settings


def run_attribution(config: dict[str, Any], run: Path, progress: JobProgress) -> None:
    """Map faces, unless they were mapped before, and write the mean of all and of each class as `means.npy`."""
    job = checked_settings(MapJob, config)
    progress.stage("faces", share=0.1)
    faces = load_faces(job.data, progress)
    paths = available_regions(faces, job.data)
    if job.attribute not in paths:
        raise unknown_name("region classifier of these faces for attribute", job.attribute, paths)
    classifier = load_regions(paths[job.attribute], job.attribute).to(pick_device(job.device))
    listed = list_faces(job.data)
    subset = listed.in_split(job.split)
    subset = subset if job.images is None else subset.sample(job.images)
    progress.stage("attribution maps", share=0.85)
    packed_in = packed_folder(listed, cache_folder())
    maps_path = stored_maps(classifier, subset, job.measure, packed_in, progress, job.precision)
    progress.stage("mean maps", share=0.05)
    maps, names = open_maps(maps_path)
    means, counts = class_means(classifier, maps, subset.take(subset.names.get_indexer(pd.Index(names))))
    write_means(run, means, {"maps": str(maps_path), "weights": weights_digest(classifier), "counts": counts})
    progress(1, 1, "Done")
