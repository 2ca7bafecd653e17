"""Maps of many faces on a Ray cluster: one shard is one task, and does what one machine does for all."""

from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.attribution import stored_maps
from fairsal_core.experiments.ray_engine import as_task, check_head, connected, first_line
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.progress import Progress, silent
from fairsal_core.regions import RegionClassifier

SHARDS = "shards"
SHARD = 2048  # faces: 10 MB of maps, and ten seconds of `dense` on a CPU


def sharded_maps(
    classifier: RegionClassifier,
    faces: FaceDataset,
    measure: str,
    progress: Progress = silent,
    precision: str = "fp32",
    *,
    data: str,
    device: str = "auto",
    address: str = "",
    size: int = SHARD,
) -> Path:
    """Return what `stored_maps` returns, mapped shard by shard on a Ray cluster.

    Parameters
    ----------
    classifier, faces, measure, progress, precision
        As in `stored_maps`.
    data : str
        What `load_faces` gets to load these faces on a node; a folder has to be at the same path there.
    device : str
        What each task maps on; with "auto" a GPU of its own where the cluster has any.
    address : str
        The cluster; by default the one on this machine.
    size : int
        Faces a shard. Each is an artifact of its own, so that what was mapped before is not mapped again.

    Raises
    ------
    FairsalError
        If ray is not installed, the cluster does not answer, or a shard fails or is lost too often.
    """
    grow = partial(_grow_on_ray, data=data, device=device, address=address, size=size)
    return stored_maps(classifier, faces, measure, progress, precision, grow)


def map_shard(
    classifier: RegionClassifier, data: str, names: list[str], measure: str, precision: str, device: str
) -> str:
    """Map the faces of these names and return the file with their maps: the task."""
    faces = _faces(data)
    shard = faces.take(faces.attributes.index.get_indexer(pd.Index(names)))
    # Kept apart from whole sets: one that is a single shard has its key, and whoever waits for the shard holds its lock.
    return str(stored_maps(classifier.to(pick_device(device)), shard, measure, precision=precision, stage=SHARDS))


@lru_cache(maxsize=1)
def _faces(data: str) -> FaceDataset:
    """Load faces once for all shards of a worker, which lives no longer than what it works for."""
    return load_faces(data)


def _grow_on_ray(
    path: Path,
    key: dict[str, Any],
    classifier: RegionClassifier,
    faces: FaceDataset,
    measure: str,
    progress: Progress,
    precision: str,
    *,
    data: str,
    device: str,
    address: str,
    size: int,
) -> None:
    side = classifier.grid.per_side
    names = faces.attributes.index.to_list()
    with connected(address) as ray:
        task = as_task(ray, map_shard, device)
        shared = ray.put(classifier.to(pick_device("cpu")))
        at_work = {
            task.remote(shared, data, names[rows], measure, precision, device): rows
            for rows in _shards(len(names), size)
        }
        maps = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(len(names), side, side))
        done = 0
        while at_work:
            ready, _ = ray.wait(list(at_work), timeout=0.5)
            check_head(ray)
            for each in ready:
                rows = at_work.pop(each)
                try:
                    maps[rows] = np.load(ray.get(each), mmap_mode="r")
                except ray.exceptions.RayError as error:
                    raise FairsalError(
                        f"Faces {rows.start} to {rows.stop} were not mapped: {first_line(error)}"
                    ) from error
                done += rows.stop - rows.start
            progress(
                done, len(names), f"Mapping {classifier.attribute}: {done:,} of {len(names):,} faces on the cluster"
            )
        maps.flush()


def _shards(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
