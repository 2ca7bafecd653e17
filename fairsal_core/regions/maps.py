"""Attribution maps: the confidence of every patch, for one image or many."""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, pixels_digest
from fairsal_core.files import new_array, read_json, write_json
from fairsal_core.progress import Progress, silent
from fairsal_core.regions.classifier import RegionClassifier
from fairsal_core.regions.confidence import DEFAULT_MEASURE, confidence
from fairsal_core.regions.grid import PatchGrid, min_max, to_pixel_map
from fairsal_core.rows import Rows
from fairsal_core.tensors import autocast, resident, to_unit

_BATCH = 64
_BATCH_ON_CPU = 8  # more are slower there, and from 16 on were seen to be rounded otherwise
_PROMPT_SECONDS = 0.5
_SAVE_SECONDS = 2.0
_PROBED_IMAGES = 16
_SUMMED = 512


def region_maps(
    classifier: RegionClassifier,
    images: NDArray[np.uint8],
    measure: str = DEFAULT_MEASURE,
    progress: Progress = silent,
    precision: str = "fp32",
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
    precision : str
        "fp32", or "bf16": approximate, and faster where the hardware has matrix units.

    Returns
    -------
    array, (N, per_side, per_side) float16
        In [0, 1]; row = y.
    """
    maps = np.empty((len(images), classifier.grid.per_side, classifier.grid.per_side), dtype=np.float16)
    for part in batches(len(images), classifier.device):
        maps[part] = _confidence(classifier, images[part], measure, precision)
        progress(part.stop, len(images), f"Mapping {classifier.attribute}")
    return maps


def batches(count: int, device: torch.device, start: int = 0) -> Iterator[slice]:
    """Give slices up to `count`: one image first, then more as long as a batch is done within half a second.

    So progress is told, and a stop is heard, within moments, whether an image takes milliseconds or half a minute.
    """
    size = 1
    while start < count:
        begun = time.monotonic()
        stop = min(start + size, count)
        yield slice(start, stop)
        start = stop
        if time.monotonic() - begun < _PROMPT_SECONDS:
            size = min(2 * size, _BATCH_ON_CPU if device.type == "cpu" else _BATCH)


def _confidence(
    classifier: RegionClassifier, images: NDArray[np.uint8], measure: str, precision: str
) -> NDArray[np.float16]:
    logits = classifier.logits(to_unit(resident(images, classifier.device)), precision)
    return confidence(logits, measure, classifier.prior).cpu().numpy().astype(np.float16)


def stream_maps(
    classifier: RegionClassifier,
    faces: FaceDataset,
    path: Path,
    measure: str = DEFAULT_MEASURE,
    progress: Progress = silent,
    precision: str = "fp32",
) -> NDArray[np.float16]:
    """Write the region maps of many faces to an NPY file, going on where an earlier call was interrupted.

    Parameters
    ----------
    classifier, measure, precision
        As in `region_maps`.
    faces : FaceDataset
        Packed; read in small parts, so that a whole split needs no memory.
    path : Path
        The file. While it grows it is beside it, as `.NAME.partial`, with what it is and how far it is in `.NAME.json`; both
        survive a kill, and a partial file of anything else is begun anew.
    progress : Progress
        Called after every batch with what is left to do and the rate; may raise to stop.

    Returns
    -------
    array, (N, per_side, per_side) float16
        The finished file, memory-mapped.
    """
    partial, state = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.json")
    side = classifier.grid.per_side
    job = {
        "weights": weights_digest(classifier),
        "faces": pixels_digest(faces),
        "measure": measure,
        "precision": precision,
        "shape": [len(faces), side, side],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = _maps_done(partial, state, job)
    if begun:
        maps = np.lib.format.open_memmap(partial, mode="r+")
    else:
        state.unlink(missing_ok=True)
        maps = new_array(partial, np.float16, (len(faces), side, side))
    clock = saved = time.monotonic()
    for part in batches(len(faces), classifier.device, begun):
        images = faces.take(range(len(faces))[part]).images
        maps[part] = _confidence(classifier, images, measure, precision)
        now = time.monotonic()
        if now - saved > _SAVE_SECONDS or part.stop == len(faces):
            maps.flush()  # before the state, which may claim no more than is there
            write_json(state, {**job, "done": part.stop})
            saved = now
        rate = (part.stop - begun) / max(now - clock, 1e-9)
        message = f"Mapping {classifier.attribute}: {part.stop:,} of {len(faces):,} faces, {rate:,.3g} a second"
        progress(part.stop - begun, len(faces) - begun, message)
    del maps
    os.replace(partial, path)
    state.unlink(missing_ok=True)
    finished: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return finished


def _maps_done(partial: Path, state: Path, job: dict[str, Any]) -> int:
    """Return how many faces an interrupted call has mapped for this very job."""
    if not (partial.is_file() and state.is_file()):
        return 0
    try:
        content = read_json(state)
    except ValueError:
        return 0
    done = content.get("done") if isinstance(content, dict) else None
    return done if isinstance(done, int) and content == {**job, "done": done} else 0


def weights_digest(classifier: RegionClassifier) -> str:
    """Return a hash of what decides its confidence: weights, prior, temperature and offset."""
    offset = "" if classifier.offset is None else f"|{classifier.offset}"
    digest = hashlib.sha256(f"{classifier.prior}|{classifier.temperature}{offset}".encode())
    for name, value in classifier.network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class MapCost:
    """What mapping some images takes: estimated seconds, and bytes on disk."""

    seconds: float
    bytes: int


def estimate_cost(classifier: RegionClassifier, count: int, precision: str = "fp32") -> MapCost:
    """Estimate what mapping `count` images takes, from timing a few patches on the classifier's device."""
    grid = classifier.grid
    network: Any = classifier.network.eval()
    images = torch.rand(_PROBED_IMAGES, 3, grid.image_size, grid.image_size, device=classifier.device)
    with torch.inference_mode(), autocast(classifier.device, precision):
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            positions = network.draw(len(images))
            network.supervised(images, positions).cpu()
            seconds.append((time.perf_counter() - begun) / positions.numel())
    return MapCost(min(seconds) * grid.count * count, 2 * grid.count * count)


def pixel_maps(maps: NDArray[np.floating], classifier: RegionClassifier) -> NDArray[np.float32]:
    """Return region maps (..., per_side, per_side) spread over pixels and scaled to [0, 1] each."""
    result: NDArray[np.float32] = min_max(to_pixel_map(maps, classifier.grid))
    return result


def mean_map(maps: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean (per_side, per_side) over region maps (N, per_side, per_side)."""
    mean: NDArray[np.float32] = maps.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


@dataclass(frozen=True)
class MapSummary:
    """A mean map or a difference of two, its standard error (NaN for fewer than two images), and over how many images."""

    mean: NDArray[np.float32]
    standard_error: NDArray[np.float32]
    count: int

    def __sub__(self, other: "MapSummary") -> "MapSummary":
        """Return the difference of two means over different images; variances add, counts too."""
        error = np.hypot(self.standard_error, other.standard_error)
        return MapSummary(self.mean - other.mean, error, self.count + other.count)


def summarise_maps(
    maps: NDArray[np.floating] | Rows, grid: PatchGrid | None = None, rows: NDArray[np.int64] | None = None
) -> MapSummary:
    """Return the mean of region maps and its standard error, in constant memory.

    Parameters
    ----------
    maps : array, (N, per_side, per_side)
        May be a memory map, or in shards.
    grid : PatchGrid, optional
        If given, of the pixel maps (not min-max scaled): the standard error of a pixel cannot be had from those of positions.
    rows : array, (n,) int, optional
        Only these images, such as those with an attribute.

    Returns
    -------
    MapSummary
        Maps (per_side, per_side), or (image_size, image_size) with a `grid`.
    """
    chosen = np.arange(len(maps)) if rows is None else np.asarray(rows, dtype=np.int64)
    if not len(chosen):
        raise FairsalError("A mean map needs at least one image.")
    total = squares = np.zeros(())
    for start in range(0, len(chosen), _SUMMED):
        values = np.asarray(maps[chosen[start : start + _SUMMED]], dtype=np.float32)
        values = values if grid is None else to_pixel_map(values, grid)
        total = total + values.sum(axis=0, dtype=np.float64)
        squares = squares + np.einsum("nyx,nyx->yx", values, values, dtype=np.float64)
    count = len(chosen)
    mean = total / count
    variance = np.maximum(squares - count * mean**2, 0) / (count - 1) if count > 1 else np.full_like(mean, np.nan)
    return MapSummary(mean.astype(np.float32), np.sqrt(variance / count).astype(np.float32), count)


def mean_colour(images: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Return the mean colour of uint8 images (N, S, S, 3) in [0, 1]: what the masks are filled with."""
    red, green, blue = (float(value) / 255 for value in images.mean(axis=(0, 1, 2), dtype=np.float64))
    return red, green, blue


def as_tensor(maps: NDArray[np.floating], device: torch.device) -> torch.Tensor:
    """Copy maps to a device as float32."""
    return torch.from_numpy(np.asarray(maps, dtype=np.float32)).to(device)
