"""Maps of many faces in shards: each a task of its own, which needs no more than its faces, and leaves an artifact of its own.

A shard is known by a hash of its files, the region classifier and the measure: what was mapped is not mapped again, and of a
folder that has changed only the shards with other files are. The maps stay in shards, and are read as one array.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import growing_maps
from fairsal_core.faces import FaceDataset, files_key, with_pixels
from fairsal_core.files import MOST_TABLE, read_json, write_json
from fairsal_core.home import cache_folder
from fairsal_core.progress import Progress, part_of, silent
from fairsal_core.regions import MEASURES, RegionClassifier, stream_maps, weights_digest
from fairsal_core.rows import Rows
from fairsal_core.runs import Stage, artifact_key, artifact_name, check_artifact, note, problem_of
from fairsal_core.runs import remote as storage
from fairsal_core.scaling.ray_cluster import as_task, at_work, connected, wait_for_faces
from fairsal_core.versions import STAGES

ATTRIBUTION, SHARDS = "attribution", "shards"  # stages
SHARD = 2048  # faces: 10 MB of maps, 100 MB of pixels, and some twenty seconds of `dense` on a core
_MAPS, _NAMES, _LIST = "maps.npy", "names.json", "shards.json"


@dataclass(frozen=True)
class Shard:
    """Some faces to map, and how: all that a task needs beside the region classifier.

    Attributes
    ----------
    faces : FaceDataset
        Not packed, with their rows in the packed set; without annotations.
    packed_in : Path
        Where the packed set lies, if it is there; else the shard's faces are decoded.
    measure, precision : str
        As in `region_maps`.
    depends_on : dict
        What its artifact's key is the hash of.
    """

    faces: FaceDataset
    packed_in: Path
    measure: str
    precision: str
    depends_on: dict[str, Any]

    @property
    def key(self) -> str:
        """Name of its artifact."""
        return artifact_key({"version": STAGES[SHARDS], **self.depends_on})


Engine = Callable[[RegionClassifier, list[Shard], Progress], None]


def stored_maps(
    classifier: RegionClassifier,
    faces: FaceDataset,
    measure: str,
    packed_in: Path,
    progress: Progress = silent,
    precision: str = "fp32",
    *,
    engine: Engine | None = None,
    storage_url: str = "",
    size: int = SHARD,
) -> Path:
    """Return the artifact with the maps of these faces, for `open_maps`; shards that were mapped before are not again.

    Parameters
    ----------
    classifier : RegionClassifier
        On the device to use; a cluster's tasks pick their own.
    faces : FaceDataset
        As `list_faces` gives them, or some of those.
    measure : str
        A confidence measure.
    packed_in : Path
        The `packed_folder` of the whole set, which need not be there.
    progress : Progress
        Called with faces done and to do; may raise to stop.
    precision : str
        "fp32", or "bf16".
    engine : callable, optional
        What maps the shards that are missing; by default this process, one after the other. See `on_ray`.
    storage_url : str
        Where the engine's workers leave their shards, if not in this workspace.
    size : int
        Faces a shard.

    Raises
    ------
    FairsalError
        If there is no such measure, or the engine fails.
    """
    MEASURES.find(measure)
    shards = _shards(classifier, faces, measure, packed_in, precision, size)
    for shard in shards:
        note(SHARDS, shard.key)
    missing = [shard for shard in shards if not _is_done(shard, storage_url)]
    if missing:
        (engine or map_here)(classifier, missing, progress)
    content = {"shards": [shard.key for shard in shards], "side": classifier.grid.per_side, "storage": storage_url}

    def build(folder: Path, progress: Progress) -> None:
        write_json(folder / _LIST, content)

    return Stage(ATTRIBUTION, STAGES[ATTRIBUTION], content, build, read=Path).make()


def open_maps(path: Path) -> tuple[Rows, list[str]]:
    """Return what `stored_maps` left: maps (N, per_side, per_side) float16, and the N faces' file names.

    A shard is read when one of its rows is wanted; one that lies in a storage is fetched then, and not kept. Faces that did not
    decode are in neither.

    Raises
    ------
    FairsalError
        If a shard is no longer there.
    """
    check_artifact(path)
    about = read_json(path / _LIST, MOST_TABLE)
    url, side = about["storage"], about["side"]
    folders = [path.parents[1] / SHARDS / key for key in about["shards"]]
    names = [_names(folder, url) for folder in folders]
    maps = Rows([len(each) for each in names], lambda number: _maps(folders[number], url), (side, side), np.float16)
    return maps, [name for each in names for name in each]


def map_here(classifier: RegionClassifier, shards: list[Shard], progress: Progress) -> None:
    """Map shards one after the other in this process."""
    total, begun = sum(len(shard.faces) for shard in shards), 0
    for shard in shards:
        map_shard(classifier, shard, progress=part_of(progress, begun, total))
        begun += len(shard.faces)
    progress(total, total, f"Mapping {classifier.attribute}")


def on_ray(device: str, address: str, storage_url: str = "") -> Engine:
    """Return the engine that maps shards as tasks of a Ray cluster.

    Parameters
    ----------
    device : str
        What each task maps on; with "auto" a GPU of its own where the cluster has any.
    address : str
        The cluster; by default the one on this machine.
    storage_url : str
        Where its nodes leave their shards, if they share no workspace.

    Raises
    ------
    FairsalError
        When it is used: if ray is not installed, the cluster does not answer, or a shard fails or is lost too often.
    """

    def engine(classifier: RegionClassifier, shards: list[Shard], progress: Progress) -> None:
        if storage_url:
            storage.prepare(storage_url)
        with connected(address) as ray:
            task = as_task(ray, map_shard, device)
            shared = ray.put(classifier.to(pick_device("cpu")))
            begun = {task.remote(shared, shard, device, storage_url): shard.faces for shard in shards}
            wait_for_faces(ray, begun, "mapped", progress)

    return engine


def map_shard(
    classifier: RegionClassifier,
    shard: Shard,
    device: str = "",
    storage_url: str = "",
    progress: Progress = silent,
) -> None:
    """Map the faces of a shard, unless that was done: what every engine does, and the cluster's task.

    With a `device` the classifier is moved there; without one it is where it should be.
    """

    def build(folder: Path, progress: Progress) -> None:
        faces = with_pixels(shard.faces, shard.packed_in, progress=progress)
        write_json(folder / _NAMES, faces.names.tolist())
        if not len(faces):
            np.save(folder / _MAPS, np.empty((0, classifier.grid.per_side, classifier.grid.per_side), np.float16))
            return
        there = classifier.to(pick_device(device)) if device else classifier
        growing = growing_maps(stage.identity)
        stream_maps(there, faces, growing, shard.measure, progress, shard.precision)
        growing.rename(folder / _MAPS)

    stage = Stage(SHARDS, STAGES[SHARDS], shard.depends_on, build, read=Path)
    with at_work(storage_url):
        stage.make(progress)


def _shards(
    classifier: RegionClassifier, faces: FaceDataset, measure: str, packed_in: Path, precision: str, size: int
) -> list[Shard]:
    weights = weights_digest(classifier)
    bare = replace(faces, attributes=faces.attributes.iloc[:, :0], identity=None, packed=None)
    shards = []
    for start in range(0, len(faces), size):
        part = bare.between(start, start + size)
        depends_on = {
            "files": files_key(part),
            "weights": weights,
            "measure": measure,
            "precision": precision,
            "extension": MEASURES.origin(measure),
        }
        shards.append(Shard(part, packed_in, measure, precision, depends_on))
    return shards


def _is_done(shard: Shard, url: str) -> bool:
    if url:
        return storage.is_whole(url, artifact_name(SHARDS, shard.key))
    return problem_of(cache_folder() / SHARDS / shard.key) is None


def _names(folder: Path, url: str) -> list[str]:
    if not url and problem_of(folder) is not None:
        raise _lost(folder.name)
    content = storage.read(url, artifact_name(SHARDS, folder.name), _NAMES) if url else (folder / _NAMES).read_bytes()
    if content is None:
        raise _lost(folder.name)
    return list(json.loads(content))


def _maps(folder: Path, url: str) -> NDArray[np.float16]:
    maps: NDArray[np.float16]
    if not url:
        if problem_of(folder) is not None:
            raise _lost(folder.name)
        maps = np.load(folder / _MAPS, mmap_mode="r")
        return maps
    with TemporaryDirectory() as temporary:
        fetched = Path(temporary) / folder.name
        if not storage.fetch(url, artifact_name(SHARDS, folder.name), fetched):
            raise _lost(folder.name)
        maps = np.load(fetched / _MAPS)
    return maps


def _lost(key: str) -> FairsalError:
    return FairsalError(
        f"The maps of shard {key} are gone, or damaged; delete cache/{SHARDS}/{key} if it is there, and run it again: "
        "they alone are mapped."
    )
