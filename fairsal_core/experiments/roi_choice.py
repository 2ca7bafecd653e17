"""From a choice in words to the region that it means for a run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from fairsal_core.errors import FairsalError
from fairsal_core.experiments.attention_settings import AUTO, BOX, PARTS, PRESET, REGION_MAP, RoiChoice
from fairsal_core.faces import PART_OF, ROI_PRESETS, AnyRoi, FaceDataset, PixelRoi, Roi, part_roi
from fairsal_core.regions import PatchGrid, min_max, to_pixel_map
from fairsal_core.schemes import select_pixels

MEAN_MAP = "mean_map.npy"


def find_roi(
    choice: RoiChoice, run: Path, confounder: str, faces: FaceDataset | None
) -> tuple[RoiChoice, AnyRoi] | tuple[None, None]:
    """Return the region that a choice means for these faces of a run, and the choice that `auto` came to.

    Parameters
    ----------
    choice : RoiChoice
        In words.
    run : Path
        A run's directory; its mean map says where the confounder can be read off.
    confounder : str
        The attribute that the region is about.
    faces : FaceDataset or None
        Part masks are theirs, one each; None where they are not at hand.

    Returns
    -------
    (choice, region), or (None, None) where `auto` finds none: then there are maps and no numbers.

    Raises
    ------
    FairsalError
        If the choice does not fit this run.
    """
    kind = _auto(run, confounder, faces) if choice.kind == AUTO else choice.kind
    if kind is None:
        return None, None
    found: dict[str, Callable[[], AnyRoi]] = {
        REGION_MAP: lambda: region_map_roi(run, choice.quantile),
        PRESET: lambda: _preset(confounder),
        PARTS: lambda: _parts(faces, confounder),
        BOX: lambda: Roi(*(choice.box or ())),
    }
    return choice.model_copy(update={"kind": kind}), found[kind]()


def check_roi(choice: RoiChoice, confounder: str, faces: FaceDataset, schemes: bool) -> None:
    """Raise FairsalError if the choice cannot fit an experiment, with or without schemes: before anything is trained."""
    if choice.kind == REGION_MAP and not schemes:
        raise FairsalError("Without a scheme there is no region map; choose another region of interest, such as a box.")
    if choice.kind == PRESET:
        _preset(confounder)
    if choice.kind == PARTS:
        part_roi(faces.take([]), confounder)


def region_map_roi(run: Path, quantile: float) -> PixelRoi:
    """Return the pixels where the run's mean map of the confounder lies above its quantile: what a mask would hide."""
    try:
        mean = np.load(run / MEAN_MAP)
    except (OSError, ValueError) as error:
        raise FairsalError(
            f"Run {run.name} has no region map, as it trained no scheme; choose another region of interest."
        ) from error
    pixels = min_max(to_pixel_map(mean, PatchGrid(per_side=mean.shape[0])))
    return PixelRoi(select_pixels(torch.from_numpy(pixels), quantile).numpy())


def _auto(run: Path, confounder: str, faces: FaceDataset | None) -> str | None:
    if (run / MEAN_MAP).is_file():
        return REGION_MAP
    if faces is not None and faces.parts_folder is not None and confounder in PART_OF:
        return PARTS
    return PRESET if confounder in ROI_PRESETS else None


def _parts(faces: FaceDataset | None, confounder: str) -> PixelRoi:
    if faces is None:
        raise FairsalError("The faces are not at hand, and so their part masks are not; choose another region.")
    return part_roi(faces, confounder)


def _preset(confounder: str) -> Roi:
    if confounder not in ROI_PRESETS:
        raise FairsalError(
            f"There is no preset region for {confounder}, only for {', '.join(ROI_PRESETS)}; give x,y,width,height."
        )
    return ROI_PRESETS[confounder]
