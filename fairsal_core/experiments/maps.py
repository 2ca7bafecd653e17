"""The stage that maps a training subset, and the treatment that a scheme makes of the maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import Treatment
from fairsal_core.experiments.regions import Regions
from fairsal_core.faces import FaceDataset, pixels_digest
from fairsal_core.files import read_json, write_json
from fairsal_core.hashing import hash_of
from fairsal_core.home import cache_folder
from fairsal_core.progress import Progress
from fairsal_core.regions import MEASURES, mean_colour, mean_map, pixel_maps, stream_maps
from fairsal_core.runs import Stage
from fairsal_core.schemes import find_scheme, select_pixels
from fairsal_core.settings import SchemeChoice
from fairsal_core.versions import STAGES

_STAGE = "maps"
_MAPS, _COLOUR = "maps.npy", "colour.json"
_MAPS_AT_ONCE = 512  # as pixels: 32 MB


@dataclass(frozen=True)
class Maps:
    """Region maps of a training subset (N, per_side, per_side), their mean, and the subset's mean colour."""

    each: NDArray[np.float16]
    mean: NDArray[np.float32]
    colour: tuple[float, float, float]
    key: dict[str, Any]


def maps_stage(regions: Regions, subset: FaceDataset, measure: str) -> Stage[Maps]:
    """Return the stage that maps a training subset."""
    depends_on = {
        "regions": regions.key,
        "measure": measure,
        "faces": pixels_digest(subset),
        "device": regions.classifier.device.type,
        "extension": MEASURES.origin(measure),
    }

    def build(folder: Path, progress: Progress) -> None:
        stream_maps(regions.classifier, subset, growing_maps(stage.identity), measure, progress)
        growing_maps(stage.identity).rename(folder / _MAPS)
        write_json(folder / _COLOUR, mean_colour(subset.images))

    def read(folder: Path) -> Maps:
        each = np.load(folder / _MAPS, mmap_mode="r")
        red, green, blue = read_json(folder / _COLOUR)
        return Maps(each, mean_map(each), (red, green, blue), stage.identity)

    stage = Stage(_STAGE, STAGES[_STAGE], depends_on, build, read)
    return stage


def growing_maps(identity: dict[str, Any]) -> Path:
    """Return where the maps of a stage grow, so that it goes on where a kill stopped it: its own folder is swept then."""
    return cache_folder() / "unfinished" / f"{hash_of(identity)}.npy"


def make_treatment(choice: SchemeChoice, regions: Regions, maps: Maps, device: torch.device) -> Treatment:
    """Return a scheme ready for the subset that the maps belong to."""
    scheme = find_scheme(choice.scheme, choice.noise_domain)
    values: NDArray[np.floating] = maps.mean if scheme.scope == "general" else maps.each
    chunks = (values,) if values.ndim == 2 else np.array_split(values, -(-len(values) // _MAPS_AT_ONCE))
    selected = [
        select_pixels(torch.from_numpy(pixel_maps(chunk, regions.classifier)).to(device), choice.quantile)
        for chunk in chunks
    ]
    return Treatment(
        scheme, selected[0] if values.ndim == 2 else torch.cat(selected), maps.colour, choice.treat_probability
    )
