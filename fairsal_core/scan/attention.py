"""Whether a classifier looks where an attribute lives: its mean relevance against region maps. And what that says with errors."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.metrics import percentile_interval
from fairsal_core.progress import Progress, silent
from fairsal_core.scan.errors import DIFFERS
from fairsal_core.scan.parts import pooled

if TYPE_CHECKING:
    from fairsal_core.regions import Atlas

OVERLAP_COLUMNS = ("attribute", "overlap", "low", "high", "looked_at")
SIDE = 16
_REPLICATES = 400
_BATCH = 8
QUADRANTS: dict[tuple[bool, bool], tuple[str, str]] = {
    (True, True): (
        "confounder",
        "Errors differ by it, and the classifier looks where it shows: a confounder, and we see where.",
    ),
    (True, False): (
        "prevalence or labels",
        "Errors differ by it, and the classifier looks elsewhere: how common it is, or noise in its labels, may explain that.",
    ),
    (False, True): (
        "latent risk",
        "No difference in errors is shown, and the classifier looks where it shows: hide it and test what changes.",
    ),
    (False, False): ("neither", "No difference in errors is shown, and the classifier looks elsewhere."),
}
"""(errors differ, it is looked at) -> the name of the case, and what it says."""


def atlas_regions(
    atlas: "Atlas", images: NDArray[np.uint8], progress: Progress = silent
) -> dict[str, NDArray[np.float64]]:
    """Return where each attribute can be read off these faces on average: bits of information gain, by pixel.

    Parameters
    ----------
    atlas : Atlas
        Attributes that it does not tell (an AUC below LOWEST_AUC on held-out faces) are left out.
    images : array, (N, S, S, 3) uint8
        Faces in its frame; some dozens do.

    Returns
    -------
    dict
        Attribute -> its map (S, S), at least 0.
    """
    import torch

    from fairsal_core.regions import LOWEST_AUC, evidence, to_pixel_map
    from fairsal_core.tensors import resident, to_unit

    told = [(place, head) for place, head in enumerate(atlas.heads) if (head.metrics.get("auc") or 0) >= LOWEST_AUC]
    sums = np.zeros((len(told), atlas.grid.per_side, atlas.grid.per_side))
    for start in range(0, len(images), _BATCH):
        part = images[start : start + _BATCH]
        with torch.inference_mode():
            chances = atlas.logits(to_unit(resident(part, atlas.device))).softmax(dim=-1).cpu().numpy()
        for row, (place, head) in enumerate(told):
            own = chances[:, place, :, :, : len(head.classes)]
            sums[row] += (own * evidence(own, head.prior)).sum(axis=-1).sum(axis=0)
        progress(min(start + _BATCH, len(images)), len(images), "Mapping every attribute")
    return {
        head.attribute: np.asarray(to_pixel_map(each / len(images), atlas.grid), dtype=np.float64)
        for each, (_, head) in zip(sums, told, strict=True)
    }


def overlaps(relevance: NDArray[np.floating], regions: dict[str, NDArray[np.floating]], seed: int = 0) -> pd.DataFrame:
    """Return how much a classifier's mean relevance and each attribute's region map overlap, the most first.

    Parameters
    ----------
    relevance : array, (N, H, W)
        Of faces; its size counts. H and W multiples of 16.
    regions : dict
        Attribute -> its region map (H, W), at least 0, such as the mean information gain of the atlas's patches.
    seed : int
        Fixes the bootstrap over faces.

    Returns
    -------
    DataFrame
        OVERLAP_COLUMNS. `overlap` is the sum over 16 x 16 fields of the smaller of the two, each map adding up to 1: from 0,
        disjoint, to 1, the same. `low` to `high` is its 95% interval over faces. `looked_at`: whether the interval lies above
        the mean overlap of all attributes here, since all of them live on a face and so overlap somewhat.

    Notes
    -----
    Regions are taken less their least value, which a patch that knows nothing has too. The idea is that of Attention-IoU
    (Serianni et al. 2025), with a region classifier in the place of a second network for each attribute.
    """
    maps = pooled(relevance, SIDE).reshape(len(relevance), -1)
    maps = maps[np.isfinite(maps).all(axis=1)]
    names = list(regions)
    areas = np.stack([regions[name] - regions[name].min() for name in names])
    targets = np.nan_to_num(pooled(areas, SIDE)).reshape(len(names), -1)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(maps), np.full(len(maps), 1 / len(maps)), size=_REPLICATES) / len(maps)
    drawn = np.minimum((weights @ maps)[:, None], targets).sum(axis=2)
    value = np.minimum(maps.mean(axis=0), targets).sum(axis=1)
    ends = [percentile_interval(drawn[:, place]) for place in range(len(names))]
    table = pd.DataFrame(
        {"attribute": names, "overlap": value, "low": [e.low for e in ends], "high": [e.high for e in ends]}
    )
    table["looked_at"] = table["low"] > value.mean()
    return table.sort_values("overlap", ascending=False, ignore_index=True)


def quadrant(errors: pd.DataFrame, attention: pd.DataFrame) -> pd.DataFrame:
    """Return, for every attribute that both tables have, in which case it is, in the order of the scan.

    Returns
    -------
    DataFrame
        Columns `attribute`, `errors` and `looked_at` (bool), `case` and `meaning`, see QUADRANTS.
    """
    joined = errors[["attribute", "verdict"]].merge(attention[["attribute", "looked_at"]], on="attribute")
    found = joined.assign(errors=joined["verdict"] == DIFFERS)
    said = [QUADRANTS[bool(row.errors), bool(row.looked_at)] for row in found.itertuples()]
    return found.assign(case=[case for case, _ in said], meaning=[meaning for _, meaning in said])[
        ["attribute", "errors", "looked_at", "case", "meaning"]
    ]
