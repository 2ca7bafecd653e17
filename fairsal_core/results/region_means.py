"""Mean region maps of many faces: of all, and of each class."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.files import write_json
from fairsal_core.regions import MapSummary, RegionClassifier, summarise_maps, weights_digest
from fairsal_core.rows import Rows
from fairsal_core.runs import Run, RunFiles, read_array, read_content


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


def write_means(run: Path, means: NDArray[np.float32], about: dict[str, Any]) -> None:
    """Write what `read_means` reads; `about` has the `counts` and the digest of the region classifier's `weights`."""
    np.save(RunFiles(run).region_means, means)
    write_json(RunFiles(run).about_region_means, about)


def read_means(run: Run, classifier: RegionClassifier | None = None) -> dict[str, MapSummary] | None:
    """Return the mean pixel maps, of "all" faces and of each class, that an attribution run left.

    None if it left nothing that can be read, or made them with another region classifier than the given one.
    """
    try:
        about = read_content(run.path, RunFiles(run.path).about_region_means)
        counts, weights = about["counts"], about["weights"]
        means = read_array(run.path, RunFiles(run.path).region_means)
    except (OSError, FairsalError, KeyError, TypeError):
        return None
    if classifier is not None and weights != weights_digest(classifier):
        return None
    return {
        name: MapSummary(mean, error, count) for (mean, error), (name, count) in zip(means, counts.items(), strict=True)
    }
