"""How well a region classifier, or each head of an atlas, tells its attribute on any faces."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.metrics import auc_interval, expected_calibration_error, reliability, top_label
from fairsal_core.progress import Progress, silent
from fairsal_core.regions.atlas import Atlas, Head
from fairsal_core.regions.quality import position_aucs
from fairsal_core.regions.training import class_frequencies, each_logits


def judge_atlas(
    atlas: Atlas, chosen_on: FaceDataset, judged: FaceDataset, progress: Progress = silent
) -> dict[str, dict[str, Any]]:
    """Judge each attribute that the faces are annotated with, where both sets show two classes of it.

    Parameters
    ----------
    atlas : Atlas
        On the device to use.
    chosen_on : FaceDataset
        Packed faces on which the best position of each attribute is looked for; others than the judged ones, as the best of
        thousands of positions looks better than it is.
    judged : FaceDataset
        Packed faces that judge it.
    progress : Progress
        Called after every batch; may raise to stop.

    Returns
    -------
    dict
        Attribute -> `faces`; `rarest`, how many of the rarest class; `base_rate` of its last class; the best `position` (row,
        column); there `auc` with its 95% interval `auc_low`, `auc_high`, `balanced_accuracy` (the mean recall of the classes,
        saying the one whose probability is furthest above its base rate) and `bits` told, at the base rates of the judged faces;
        `vote_auc`, of the mean log-probability of all patches; and over all patches `ece`, the top-label expected calibration
        error as it is, and `ece_at_base_rate`, once the base rates of the training faces are replaced by the judged ones'.

    Raises
    ------
    FairsalError
        If there is no attribute to judge.
    """
    heads = [head.attribute for head in atlas.heads if _is_annotated(head, chosen_on) and _is_annotated(head, judged)]
    if not heads:
        raise FairsalError(
            f"None of {', '.join(atlas.attributes[:5])} … can be judged here: both splits have to show two classes of it."
            if len(atlas.attributes) > 5
            else f"{', '.join(atlas.attributes)} cannot be judged here: both splits have to show two classes of it."
        )
    known = atlas.only(heads)
    positions = {
        head.attribute: best_position(logits, faces.classes(head.attribute)[0])
        for head, faces, logits in each_logits(known, chosen_on, progress)
    }
    return {
        head.attribute: _judged(head, positions[head.attribute], logits, faces.classes(head.attribute)[0])
        for head, faces, logits in each_logits(known, judged, progress)
    }


def best_position(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> tuple[int, int]:
    """Return row and column of the position whose patches put faces in the best order, of logits (N, per_side, per_side, C)."""
    areas = position_aucs(logits, labels)
    row, column = np.unravel_index(int(areas.argmax()), areas.shape)
    return int(row), int(column)


def _is_annotated(head: Head, faces: FaceDataset) -> bool:
    try:
        labels, classes = faces.classes(head.attribute)
    except FairsalError:
        return False
    return classes == head.classes and len(np.unique(labels[labels >= 0])) > 1


def _judged(
    head: Head, position: tuple[int, int], logits: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, Any]:
    counts = np.bincount(labels, minlength=len(head.classes))
    rates = class_frequencies(counts)
    log_prior = np.log(np.asarray(head.prior, dtype=np.float32))
    shifted = logits + (np.log(np.asarray(rates, dtype=np.float32)) - log_prior)
    there = logits[(slice(None), *position)]
    auc = float(position_aucs(there[:, None, None], labels)[0, 0])
    rarest = int(counts[counts > 0].min())
    interval = auc_interval(auc, rarest, len(labels) - rarest)
    said = (there - log_prior).argmax(axis=-1)
    recalls = [float((said[labels == each] == each).mean()) for each in np.flatnonzero(counts)]
    likely = log_softmax(shifted[(slice(None), *position)].astype(np.float64), axis=-1)[np.arange(len(labels)), labels]
    told = (likely - np.log(np.asarray(rates))[labels]) / math.log(2)
    votes = log_softmax(logits, axis=-1).mean(axis=(1, 2), keepdims=True)
    numbers = {
        "base_rate": rates[-1],
        "auc": auc,
        "auc_low": interval.low,
        "auc_high": interval.high,
        "balanced_accuracy": float(np.mean(recalls)),
        "bits": float(told.mean()),
        "vote_auc": float(position_aucs(votes, labels)[0, 0]),
        "ece": _ece(logits, labels),
        "ece_at_base_rate": _ece(shifted, labels),
    }
    rounded = {name: round(number, 4) for name, number in numbers.items()}
    return {"faces": len(labels), "rarest": rarest, "position": list(position), **rounded}


def _ece(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    patches = logits.reshape(-1, logits.shape[-1])
    return expected_calibration_error(reliability(*top_label(patches, np.repeat(labels, len(patches) // len(labels)))))
