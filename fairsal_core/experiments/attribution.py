"""Jobs beside experiments: train one region classifier, or map many faces with one."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from fairsal_core.device import pick_device
from fairsal_core.errors import unknown_name
from fairsal_core.experiments.config import checked_settings
from fairsal_core.experiments.pipeline import available_regions, trained_regions
from fairsal_core.experiments.reporting import Report
from fairsal_core.experiments.sharding import open_maps, stored_maps
from fairsal_core.experiments.store import Run
from fairsal_core.faces import DEMO, FaceDataset, list_faces, load_faces, packed_folder
from fairsal_core.files import read_json, write_json
from fairsal_core.home import cache_folder
from fairsal_core.regions import (
    MapSummary,
    RegionClassifier,
    RegionTraining,
    summarise_maps,
    weights_digest,
)
from fairsal_core.rows import Rows

REGIONS = "regions"
MEANS, ABOUT = "means.npy", "means.json"


class RegionJob(BaseModel):
    """Train a region classifier on one attribute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(DEMO, min_length=1, description="'demo' for the drawn faces, or a folder of faces")
    attribute: str = Field(description="attribute to predict")
    training: RegionTraining = Field(RegionTraining(), description="how")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")


class MapJob(BaseModel):
    """Map many faces, and average."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = Field(DEMO, min_length=1, description="'demo' for the drawn faces, or a folder of faces")
    attribute: str = Field(description="attribute whose region classifier maps")
    measure: str = Field("negative_entropy", description="confidence measure")
    split: Literal["train", "val", "test"] = Field("test", description="which faces")
    images: int | None = Field(None, ge=1, description="how many, drawn at random; by default all")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16 is approximate, and faster with matrix units")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")


def run_regions(config: dict[str, Any], run: Path, report: Report) -> None:
    """Train a region classifier, unless it was trained before, and write what came of it as `regions.json`."""
    job = checked_settings(RegionJob, config)
    report.stage("faces", share=0.1)
    faces = load_faces(job.data, report)
    report.stage("region classifier", share=0.9)
    path, _ = trained_regions(faces, job.attribute, job.training, pick_device(job.device), report)
    trained = RegionClassifier.load(path)
    about = {"attribute": job.attribute, "weights": str(path.with_name("regions.safetensors"))}
    write_json(run / "regions.json", {**about, "metrics": trained.metrics, "calibration": trained.calibration})
    report(1, 1, "Done")


def run_attribution(config: dict[str, Any], run: Path, report: Report) -> None:
    """Map faces, unless they were mapped before, and write the mean of all and of each class as `means.npy`."""
    job = checked_settings(MapJob, config)
    report.stage("faces", share=0.1)
    faces = load_faces(job.data, report)
    paths = available_regions(faces, job.data)
    if job.attribute not in paths:
        raise unknown_name("region classifier of these faces for attribute", job.attribute, paths)
    classifier = RegionClassifier.load(paths[job.attribute]).to(pick_device(job.device))
    listed = list_faces(job.data)
    subset = listed.in_split(job.split)
    subset = subset if job.images is None else subset.sample(job.images)
    report.stage("attribution maps", share=0.85)
    packed_in = packed_folder(listed, cache_folder())
    maps_path = stored_maps(classifier, subset, job.measure, packed_in, report, job.precision)
    report.stage("mean maps", share=0.05)
    maps, names = open_maps(maps_path)
    means, counts = class_means(classifier, maps, subset.take(subset.names.get_indexer(pd.Index(names))))
    np.save(run / MEANS, means)
    write_json(run / ABOUT, {"maps": str(maps_path), "weights": weights_digest(classifier), "counts": counts})
    report(1, 1, "Done")


def class_means(
    classifier: RegionClassifier, maps: NDArray[np.floating] | Rows, faces: FaceDataset
) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Return mean pixel maps and their standard errors over all faces and over each class that has some.

    Returns
    -------
    array, (K, 2, image_size, image_size)
        Mean and standard error, in the order of the counts.
    dict
        Name ("all", then the classes) -> over how many faces.
    """
    codes, names = faces.classes(classifier.attribute)
    groups = {"all": np.arange(len(faces))} | {name: np.flatnonzero(codes == code) for code, name in enumerate(names)}
    summaries = {name: summarise_maps(maps, classifier.grid, rows) for name, rows in groups.items() if len(rows)}
    stacked = np.stack([np.stack([summary.mean, summary.standard_error]) for summary in summaries.values()])
    return stacked, {name: summary.count for name, summary in summaries.items()}


def read_means(run: Run, classifier: RegionClassifier | None = None) -> dict[str, MapSummary] | None:
    """Return the mean pixel maps, of "all" faces and of each class, that an attribution run left.

    None if it left nothing that can be read, or made them with another region classifier than the given one.
    """
    try:
        about = read_json(run.path / ABOUT)
        counts, weights = about["counts"], about["weights"]
        means = np.load(run.path / MEANS)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if classifier is not None and weights != weights_digest(classifier):
        return None
    return {
        name: MapSummary(mean, error, count) for (mean, error), (name, count) in zip(means, counts.items(), strict=True)
    }
