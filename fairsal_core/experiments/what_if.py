"""What if this were not to be seen? A rectangle, a part of the face or the top of its region map is hidden, and scores move."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.classifiers import Subject, Treatment, decisions, has_thresholds, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.scoring import scores_of
from fairsal_core.faces import FaceDataset, Roi, part_roi
from fairsal_core.metrics import contrast_interval, mean_interval
from fairsal_core.regions import DEFAULT_MEASURE, RegionClassifier, mean_colour, pixel_maps, region_maps
from fairsal_core.results import THRESHOLD
from fairsal_core.schemes import SCHEMES, Scheme, hide, select_pixels
from fairsal_core.tensors import to_unit

_SIDE = 128
_BLUR, _SIGMA = 31, 8.0  # pixels: of an eye nothing is left
_SEED = 0


def _blur(images: Tensor, selected: Tensor, fill: Tensor, generator: torch.Generator | None) -> Tensor:
    from torchvision.transforms.functional import gaussian_blur  # only this needs it

    return torch.where(selected, gaussian_blur(images, [_BLUR, _BLUR], [_SIGMA, _SIGMA]), images)


def ways() -> dict[str, Scheme]:
    """Return how a region can be hidden: as each general scheme does, and blurred."""
    blur = Scheme("blur", "The pixels become the mean of their surroundings.", "general", _blur)
    return {name: scheme for name, scheme in SCHEMES.items() if scheme.scope == "general"} | {"blur": blur}


@dataclass(frozen=True)
class Area:
    """What is hidden: a rectangle, the part that shows an attribute, or the top share of the region map of each face.

    Attributes
    ----------
    box : Roi, optional
        A rectangle in pixels of 128 x 128.
    part : str
        An attribute that shows in a part of the face, where the set has part masks.
    regions : RegionClassifier, optional
        What maps each face.
    share : float
        Of the region map's pixels, in (0, 1).
    """

    box: Roi | None = None
    part: str = ""
    regions: RegionClassifier | None = None
    share: float = 0.3

    def masks(self, faces: FaceDataset) -> NDArray[np.bool_]:
        """Return where it is in each face, (N, 128, 128) bool; empty where a face has no such part.

        Raises
        ------
        FairsalError
            If the set has no part masks, or the rectangle lies outside of the picture.
        """
        if self.part:
            return part_roi(faces, self.part).pixels
        if self.regions is not None:
            maps = pixel_maps(region_maps(self.regions, faces.images, DEFAULT_MEASURE), self.regions)
            return select_pixels(torch.from_numpy(maps), 1 - self.share).numpy()
        if self.box is None:
            raise FairsalError("Say what is hidden: a rectangle, a part, or the top of a region map.")
        return np.broadcast_to(self.box.mask((_SIDE, _SIDE)), (len(faces), _SIDE, _SIDE))


@dataclass(frozen=True)
class Hidden:
    """Faces with something hidden from them.

    Attributes
    ----------
    faces : FaceDataset
        Those that have what is hidden.
    masks : array, (N, 128, 128) bool
        Where it is.
    treatment : Treatment
        What hides it.
    without : int
        How many faces were left out, since they have no such part.
    """

    faces: FaceDataset
    masks: NDArray[np.bool_]
    treatment: Treatment
    without: int

    @cached_property
    def images(self) -> NDArray[np.uint8]:
        """What the subjects then see, (N, 128, 128, 3)."""
        images = to_unit(torch.from_numpy(np.array(self.faces.images)))
        noise = torch.Generator().manual_seed(_SEED)
        shown = hide(images, self.treatment.selected, self.treatment.scheme, self.treatment.fill, noise)
        pixels: NDArray[np.uint8] = (shown.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        return pixels

    @property
    def shown(self) -> FaceDataset:
        """The faces as the subjects then see them: pictures of their own, known by their pixels."""
        return replace(self.faces, packed=self.images, digests=None, rows=np.arange(len(self.faces)))


def hide_in(faces: FaceDataset, area: Area, way: str) -> Hidden:
    """Return faces with an area hidden in one of `ways`; raises FairsalError if none of them has it."""
    masks = area.masks(faces)
    there = np.flatnonzero(masks.any(axis=(1, 2)))
    if not len(there):
        raise FairsalError(
            f"{'This face has' if len(faces) == 1 else 'None of these faces has'} nothing there to hide: no such part is marked."
        )
    chosen = faces.take(there)
    selected = torch.from_numpy(np.array(masks[there]))
    treatment = Treatment(ways()[way], selected, mean_colour(chosen.images))
    return Hidden(chosen, masks[there], treatment, len(faces) - len(there))


def moved(
    network: nn.Module,
    hidden: Hidden,
    groups: NDArray[np.bool_] | None,
    known: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> pd.DataFrame:
    """Return score and decision of each face before and after, by a subject's network.

    Parameters
    ----------
    network : torch.nn.Module
        As `Subject.load` gives it.
    hidden : Hidden
        The faces.
    groups : array, (N,) bool, optional
        Who has the protected attribute, for thresholds that differ by it; None for one of several values.
    known : two arrays, (N,), optional
        The scores of the faces as they are, and as they are shown, where these are known.

    Returns
    -------
    DataFrame
        Index `face`; `before`, `after` (0 to 1), `yes_before`, `yes_after` (0 or 1, or its probability where thresholds are drawn).
    """
    both = known or (predict_scores(network, hidden.faces.images), predict_scores(network, hidden.images))
    found: dict[str, NDArray[np.floating]] = {}
    own = has_thresholds(network)
    for when, scores in zip(("before", "after"), both, strict=True):
        found[when] = scores
        found[f"yes_{when}"] = decisions(network, scores, groups) if own else (scores > THRESHOLD).astype(float)
    return pd.DataFrame(found, index=pd.Index(hidden.faces.names, name="face"))


def moved_on_average(
    subjects: Mapping[str, Subject],
    hidden: Hidden,
    groups: Mapping[str, NDArray[np.bool_]],
    confounder: NDArray[np.bool_] | None,
) -> pd.DataFrame:
    """Return how far scores move and how many decisions change, by subject and group; no face is scored twice.

    Parameters
    ----------
    subjects : mapping
        Name -> subject.
    hidden : Hidden
        The faces.
    groups : mapping of array, (N,) bool
        Group -> its faces; groups without a face are left out.
    confounder : array, (N,) bool, optional
        As `groups` of `moved`.

    Returns
    -------
    DataFrame
        Columns `subject`, `group`, `score` (mean change) with `score_low` and `score_high` (Student's 95% interval),
        `changed` (share of decisions) with `low` and `high` (Wilson's), and `n`.
    """
    rows = []
    before_and_after = hidden.faces, hidden.shown
    for name, subject in subjects.items():
        before, after = (scores_of(subject, faces, None, torch.device("cpu")) for faces in before_and_after)
        table = moved(subject.load(), hidden, confounder, (before, after))
        change = (table["after"] - table["before"]).to_numpy(dtype=float)
        turned = (table["yes_after"] - table["yes_before"]).abs().to_numpy(dtype=float)
        for group, members in groups.items():
            if not members.any():
                continue
            part = turned[members][None, :]
            hits = part.astype(bool) if np.isin(part, (0, 1)).all() else part
            score = mean_interval(change[members][None, :])
            share = contrast_interval(hits, np.zeros(int(members.sum()), dtype=np.int64), np.ones(1))
            rows.append(
                {
                    "subject": name,
                    "group": group,
                    "score": float(change[members].mean()),
                    "score_low": score.low,
                    "score_high": score.high,
                    "changed": float(part.mean()),
                    "low": share.low,
                    "high": share.high,
                    "n": int(members.sum()),
                }
            )
    return pd.DataFrame(rows)
