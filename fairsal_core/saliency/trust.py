"""Whether LRP of a network may be shown: what a map has to pass first, and what is shown where it does not."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import rank_correlation
from fairsal_core.progress import Progress, silent
from fairsal_core.saliency.base import ExplainerSettings
from fairsal_core.saliency.explain import Images, explain, explained_logits

INSTEAD = ("integrated_gradients", "occlusion")
MOST_LOST = 0.05  # of all faces' logits together: of one that is nearly zero everything is a multiple
MOST_CONSTANT = 1.0  # the same
MOST_ALIKE = 0.8  # rank correlation with the maps of random weights (Adebayo et al. 2018)
_METHOD = "lrp_graph"


def why_no_lrp(
    network: nn.Module,
    random: nn.Module,
    images: Images,
    targets: NDArray[np.integer],
    settings: ExplainerSettings | None = None,
    progress: Progress = silent,
) -> str | None:
    """Return why LRP of this network should not be shown, in one sentence; None where it may be.

    Refused is a network that cannot be exported, whose export gives other logits, by 1e-4 of the largest, or that does
    something without a rule; relevance that is not kept, |kept - 1| >= 0.05; relevance of which what no picture changes (a
    class token, positions) has as much as the whole logit, so that the pixels only cancel it; and maps that would be much the
    same had nothing been learned, a mean rank correlation of magnitudes >= 0.8 with those of random weights. What is lost and
    what constants get are shares of all faces' logits together, sum |share_i z_i| / sum |z_i|: as a share of a logit that
    happens to be nearly zero, a rounding error is large.

    Parameters
    ----------
    network, random : torch.nn.Module
        Images (N, 3, H, W) in [0, 1] to logits (N, C), and the same with random weights.
    images, targets
        As for `explain`: some faces, and the label of each whose logit is explained.
    settings : LrpGraphSettings, optional
        Its defaults if not given.
    """
    try:
        learned = explain(network, images, targets, _METHOD, settings, progress)
        unlearned = explain(random, images, targets, _METHOD, settings, progress)
    except FairsalError as error:
        return str(error)
    logits = explained_logits(network, images, targets)
    if not logits.any():
        return "LRP has nothing to share out: this network's logits are 0 for all of these faces."
    lost = _of_all(learned.diagnostics["relevance_kept"] - 1, logits)
    if not lost < MOST_LOST:
        return f"LRP does not keep this network's relevance: {lost:.0%} of the logit comes or goes on the way to the pixels."
    constant = _of_all(learned.diagnostics["relevance_of_constants"], logits)
    if not constant < MOST_CONSTANT:
        return (
            f"LRP gives {constant:.3g} times the logit to what no picture changes in this network (class token, positions), "
            "and to the pixels what cancels it."
        )
    varies = np.ptp(learned.relevance, axis=(1, 2)) > 0
    if not varies.any():
        return "LRP's maps of this network are the same everywhere."
    alike = rank_correlation(np.abs(learned.relevance[varies]), np.abs(unlearned.relevance[varies]))
    # With random weights the signal of a deep network may fade before its end, and a map that is flat is like no other.
    comparable = np.nan_to_num(alike)
    if not comparable.mean() < MOST_ALIKE:
        return (
            "LRP's maps of this network show the face, not what was learned: with random weights they are much the same "
            f"(rank correlation {comparable.mean():.2f})."
        )
    return None


def _of_all(shares: NDArray[np.floating[Any]], logits: NDArray[np.floating[Any]]) -> float:
    """Return the mean size of what are shares of each face's logit, by the size of that."""
    return float(np.average(np.abs(shares), weights=np.abs(logits)))
