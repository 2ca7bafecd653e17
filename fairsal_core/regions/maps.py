"""Attribution maps: the confidence of every patch, for one image or many."""

import numpy as np
import torch
from numpy.typing import NDArray

from fairsal_core.progress import Progress, silent
from fairsal_core.regions.classifier import RegionClassifier
from fairsal_core.regions.confidence import confidence
from fairsal_core.regions.grid import min_max, to_pixel_map
from fairsal_core.tensors import resident, to_unit

_BATCH = 64


def region_maps(
    classifier: RegionClassifier,
    images: NDArray[np.uint8],
    measure: str = "negative_entropy",
    progress: Progress = silent,
) -> NDArray[np.float16]:
    """Return the confidence at every position of every image.

    Positions, not pixels, are what is worth storing: 4.8 KB an image instead of 64.

    Parameters
    ----------
    classifier : RegionClassifier
        On the device to use.
    images : array, (N, S, S, 3) uint8
        Faces.
    measure : str
        A confidence measure.
    progress : Progress
        Called after every batch; may raise to stop.

    Returns
    -------
    array, (N, per_side, per_side) float16
        In [0, 1]; row = y.
    """
    maps = np.empty((len(images), classifier.grid.per_side, classifier.grid.per_side), dtype=np.float16)
    for start in range(0, len(images), _BATCH):
        batch = to_unit(resident(images[start : start + _BATCH], classifier.device))
        values = confidence(classifier.logits(batch), measure, classifier.prior)
        maps[start : start + _BATCH] = values.cpu().numpy().astype(np.float16)
        progress(min(start + _BATCH, len(images)), len(images), f"Mapping {classifier.attribute}")
    return maps


def pixel_maps(maps: NDArray[np.floating], classifier: RegionClassifier) -> NDArray[np.float32]:
    """Return region maps (..., per_side, per_side) spread over pixels and scaled to [0, 1] each."""
    result: NDArray[np.float32] = min_max(to_pixel_map(maps, classifier.grid))
    return result


def mean_map(maps: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean (per_side, per_side) over region maps (N, per_side, per_side)."""
    mean: NDArray[np.float32] = maps.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def mean_colour(images: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Return the mean colour of uint8 images (N, S, S, 3) in [0, 1]: what the masks are filled with."""
    red, green, blue = (float(value) / 255 for value in images.mean(axis=(0, 1, 2), dtype=np.float64))
    return red, green, blue


def as_tensor(maps: NDArray[np.floating], device: torch.device) -> torch.Tensor:
    """Copy maps to a device as float32."""
    return torch.from_numpy(np.asarray(maps, dtype=np.float32)).to(device)
