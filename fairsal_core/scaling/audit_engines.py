"""The scores of an audit in parts, each a task of a Ray cluster, which does what is done here and leaves the same artifact."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fairsal_core.device import pick_device
from fairsal_core.experiments import Engine, Hiding, Part, score_part
from fairsal_core.faces import FaceDataset, list_faces, packed_folder, with_pixels
from fairsal_core.home import cache_folder
from fairsal_core.progress import Progress
from fairsal_core.scaling.ray_cluster import as_task, connected, wait_for_faces


def engine_of(config: Any) -> Engine | None:
    """Return what scores the faces of an audit: None for this process, else a Ray cluster."""
    if config.engine == "local":
        return None
    return scores_on_ray(config.device, config.address, packed_folder(list_faces(config.data), cache_folder()))


def scores_on_ray(device: str, address: str, packed_in: Path) -> Engine:
    """Return the engine that scores parts as tasks of a Ray cluster, whose nodes share the workspace.

    Parameters
    ----------
    device : str
        What each task scores on; with "auto" a GPU of its own where the cluster has any.
    address : str
        The cluster; by default the one on this machine.
    packed_in : Path
        Where the packed set lies, if it is there; else a task decodes its faces.

    Raises
    ------
    FairsalError
        When it is used: if ray is not installed, the cluster does not answer, or a part fails or is lost too often.

    Notes
    -----
    A task of one core computes with one thread, and rounding follows the number of threads: with one here too, scores are equal
    bit for bit.
    """

    def engine(network: nn.Module, parts: list[Part], progress: Progress) -> None:
        with connected(address) as ray:
            task = as_task(ray, score_there, device)
            shared = ray.put(network.to("cpu"))
            begun = {task.remote(shared, _sent(part), packed_in, device): part.faces for part in parts}
            wait_for_faces(ray, begun, "scored", progress)

    return engine


def score_there(network: nn.Module, part: Part, packed_in: Path, device: str) -> None:
    """Score a part whose pixels are not with it: the cluster's task."""
    place = pick_device(device)
    faces = with_pixels(part.faces, packed_in)
    score_part(network.to(place), replace(part, faces=faces, hiding=_hiding_on(part.hiding, place)))


def _sent(part: Part) -> Part:
    """Return a part without what a task has itself, or has no use for."""
    return replace(part, faces=_bare(part.faces), hiding=_hiding_on(part.hiding, torch.device("cpu")))


def _bare(faces: FaceDataset) -> FaceDataset:
    return replace(faces, attributes=faces.attributes.iloc[:, :0], identity=None, packed=None)


def _hiding_on(hiding: Hiding | None, device: torch.device) -> Hiding | None:
    if hiding is None:
        return None
    treatment = hiding.treatment
    return replace(hiding, treatment=replace(treatment, selected=treatment.selected.to(device)))
