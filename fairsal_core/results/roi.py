"""From a choice in words to the region that it means for a run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from fairsal_core.errors import FairsalError
from fairsal_core.faces import PART_OF, ROI_PRESETS, AnyRoi, FaceDataset, PixelRoi, Roi, has_parts, part_roi
from fairsal_core.regions import PatchGrid, Quality, min_max, to_pixel_map
from fairsal_core.runs import RunFiles, is_there, read_array, read_content
from fairsal_core.schemes import select_pixels
from fairsal_core.settings import AUTO, BOX, PARTS, PRESET, REGION_MAP, RoiChoice

_LEAST_WITH_MASKS = 0.5  # of the faces: with fewer masks, numbers would be of what happens to have some


class WithheldError(FairsalError):
    """A region classifier knows its attribute too badly for its map to be measured against."""


def region_quality(run: Path) -> Quality | None:
    """Return how well a run's region classifier tells the confounder; None for a run that has none or did not judge it.

    Raises
    ------
    FairsalError
        If the file is there and cannot be read.
    """
    try:
        return Quality.from_json(read_content(run, RunFiles(run).region_quality))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise FairsalError(
            f"What run {run.name} says of its region classifier cannot be read ({str(error)[:80]})."
        ) from error


def quality_note(run: Path, confounder: str) -> str:
    """Return how good a run's region map is, in a sentence, for beside what was measured against it; empty without one."""
    if not is_there(run, RunFiles(run).mean_map):
        return ""
    quality = region_quality(run)
    if quality is None:
        return "How well the region classifier of this run tells the attribute was not measured when it was made."
    return quality.withheld(confounder) or quality.told(confounder)


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
    WithheldError
        If it is the region map, and the region classifier knows the attribute too badly; `auto` takes another region then.
    FairsalError
        If the choice does not fit this run.
    """
    kind = _auto(run, confounder, faces) if choice.kind == AUTO else choice.kind
    if kind is None:
        return None, None
    found: dict[str, Callable[[], AnyRoi]] = {
        REGION_MAP: lambda: _trusted_roi(run, choice.quantile, confounder),
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
        mean = read_array(run, RunFiles(run).mean_map)
    except FileNotFoundError as error:
        raise FairsalError(
            f"Run {run.name} has no region map, as it trained no scheme; choose another region of interest."
        ) from error
    if mean.ndim != 2 or mean.shape[0] != mean.shape[1] or mean.dtype.kind != "f" or not np.isfinite(mean).all():
        raise FairsalError(f"What run {run.name} keeps as its region map is none: {mean.dtype} {mean.shape}.")
    pixels = min_max(to_pixel_map(mean, PatchGrid(per_side=mean.shape[0])))
    return PixelRoi(select_pixels(torch.from_numpy(pixels), quantile).numpy())


def region_withheld(run: Path, confounder: str) -> str:
    """Return why nothing is measured against a run's region map; empty where it may be, see `Quality.withheld`."""
    quality = region_quality(run)
    return quality.withheld(confounder) if quality else ""


def _trusted_roi(run: Path, quantile: float, confounder: str) -> PixelRoi:
    if why := region_withheld(run, confounder):
        raise WithheldError(why)
    return region_map_roi(run, quantile)


def _auto(run: Path, confounder: str, faces: FaceDataset | None) -> str | None:
    has_map = is_there(run, RunFiles(run).mean_map)
    if has_map and not region_withheld(run, confounder):
        return REGION_MAP
    if faces is not None and confounder in PART_OF and len(faces) and has_parts(faces).mean() >= _LEAST_WITH_MASKS:
        return PARTS
    if confounder in ROI_PRESETS:
        return PRESET
    return REGION_MAP if has_map else None  # which then says why it is withheld


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
