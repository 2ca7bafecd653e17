"""An audit on a Ray cluster: scores of some faces, or the maps of a classifier, are a task, which does what is done here.

What a task makes is the artifact that would be made here. Nodes that share no workspace leave it in a storage, from where it is
fetched once all are done.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fairsal_core.classifiers import Subject
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import (
    Engine,
    Engines,
    ExplainedFaces,
    Hiding,
    Part,
    RelevanceEngine,
    relevance_stage,
    score_part,
)
from fairsal_core.faces import FaceDataset, list_faces, packed_folder, with_pixels
from fairsal_core.home import cache_folder
from fairsal_core.progress import Progress
from fairsal_core.runs import remote as storage
from fairsal_core.scaling.ray_cluster import as_task, at_work, connected, wait_for_faces
from fairsal_core.settings import ExplainerChoice


def engines_of(config: Any) -> Engines | None:
    """Return what scores and explains the faces of an audit: None for this process, else a Ray cluster.

    Raises
    ------
    FairsalError
        If there is a storage and no cluster, or the storage cannot be written.
    """
    if config.engine == "local":
        if config.storage:
            raise FairsalError("A storage is for the nodes of a cluster: add --engine ray, or leave it out.")
        return None
    if config.storage:
        storage.prepare(config.storage)
    cluster = Cluster(config.device, config.address, config.storage)
    packed_in = packed_folder(list_faces(config.data), cache_folder())
    return Engines(scores_on_ray(cluster, packed_in), relevance_on_ray(cluster))


class Cluster(NamedTuple):
    """Where tasks are done: `device` of each ("auto": a GPU of its own where there are any), address, storage URL or none."""

    device: str
    address: str
    storage: str = ""


def scores_on_ray(cluster: Cluster, packed_in: Path) -> Engine:
    """Return the engine that scores parts as tasks of a Ray cluster.

    Parameters
    ----------
    cluster : Cluster
        Its nodes share the workspace, or have a storage.
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
        with connected(cluster.address) as ray:
            task = as_task(ray, score_there, cluster.device)
            shared = ray.put(network.to("cpu"))
            begun = {task.remote(shared, _sent(part), packed_in, cluster): part.faces for part in parts}
            wait_for_faces(ray, begun, "scored", progress)
        if cluster.storage:
            with storage.using(cluster.storage):
                for part in parts:
                    score_part(network, part)  # fetches what was made

    return engine


def score_there(network: nn.Module, part: Part, packed_in: Path, cluster: Cluster) -> None:
    """Score a part whose pixels are not with it: the cluster's task."""
    place = pick_device(cluster.device)
    with at_work(cluster.storage):
        faces = with_pixels(part.faces, packed_in)
        score_part(network.to(place), replace(part, faces=faces, hiding=_hiding_on(part.hiding, place)))


def relevance_on_ray(cluster: Cluster) -> RelevanceEngine:
    """Return the engine that explains each classifier as a task of a Ray cluster; errors and rounding as `scores_on_ray`'s."""

    def engine(
        subjects: Sequence[Subject], choice: ExplainerChoice, explained: ExplainedFaces, progress: Progress
    ) -> None:
        with connected(cluster.address) as ray:
            task = as_task(ray, explain_there, cluster.device)
            faces = ray.put(replace(explained, faces=_with_its_pixels(explained.faces)))
            begun = {
                task.remote(each.load().cpu(), _without_files(each), choice, faces, cluster): explained.faces
                for each in subjects
            }
            wait_for_faces(ray, begun, "explained", progress)
        if cluster.storage:
            with storage.using(cluster.storage):
                for each in subjects:
                    relevance_stage(
                        each, choice, explained, pick_device(cluster.device)
                    ).make()  # fetches what was made

    return engine


def explain_there(
    network: nn.Module, subject: Subject, choice: ExplainerChoice, explained: ExplainedFaces, cluster: Cluster
) -> None:
    """Explain a classifier that comes along: the cluster's task."""
    with at_work(cluster.storage):
        there = replace(subject, load=partial(_same, network))
        relevance_stage(there, choice, explained, pick_device(cluster.device)).make()


def _without_files(subject: Subject) -> Subject:
    """Return what a subject is known by: where it is loaded from is not on every node."""
    return replace(subject, load=_nothing, untrained=_nothing)


def _nothing(*_: int) -> nn.Module:
    raise FairsalError("This classifier was sent without its weights.")


def _same(network: nn.Module) -> nn.Module:
    return network


def _with_its_pixels(faces: FaceDataset) -> FaceDataset:
    """Return faces that bring their pixels, and are known by their files as before."""
    return replace(faces, digests=faces.file_digests, packed=faces.images, rows=np.arange(len(faces)), identity=None)


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
