"""What the threshold methods share: scores of the validation faces, and rules put behind the output layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import THRESHOLD, Decision, has_thresholds, insert, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import LabelledFaces
from fairsal_core.mitigation.layers import output_layer
from fairsal_core.mitigation.search import Judgement, judge

Rules = NDArray[np.float64]
EVERYBODY = np.zeros(0, dtype=np.int64)
_MOST = 200  # candidates; with more faces, quantiles of the cuts between their scores


def with_rules(classifier: nn.Module, faces: LabelledFaces, rules: Rules, groups: NDArray[np.int64]) -> None:
    """Put decision rules behind the output layer, in place; see `fairsal_core.classifiers.Decision`."""
    decision = Decision(torch.from_numpy(rules), torch.from_numpy(groups))
    insert(classifier, output_layer(classifier, faces.images), decision)


def usable_scores(classifier: nn.Module, faces: LabelledFaces) -> NDArray[np.float64]:
    """Return the scores of faces in eval mode, in float64.

    Raises
    ------
    FairsalError
        If the classifier has thresholds already, or a group lacks faces with or without the target.
    """
    if has_thresholds(classifier):
        raise FairsalError("This classifier has thresholds already; start from the one they were put on.")
    for group in (False, True):
        labels = faces.target[faces.confounder == group]
        if len(set(labels.tolist())) < 2:
            raise FairsalError(
                "Thresholds need validation faces of all four cells; those "
                f"{'with' if group else 'without'} the confounder all have the same target label."
            )
    return predict_scores(classifier, faces.images).astype(np.float64)


def one_rule(cut: float) -> Rules:
    """Return the rule (1, 8) that says yes to scores above a cut, whoever they are of."""
    return np.array([[0.0, 0.0, 1.0, cut, 1.0, 0.0, 0.0, 1.0]])


def judged_cuts(
    scores: NDArray[np.float64], faces: LabelledFaces, worth: Callable[[Judgement], Any]
) -> list[tuple[float, Judgement]]:
    """Return thresholds for everybody, and how good each is, the best by `worth` first; of equal ones the nearest to 0.5."""
    judged = [(float(cut), judge((scores > cut).astype(np.float64), faces)) for cut in cuts(scores)]
    return sorted(judged, key=lambda pair: (worth(pair[1]), -abs(pair[0] - THRESHOLD)), reverse=True)


def cuts(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return thresholds that tell scores (N,) apart in every way, or 200 of them spread evenly, with 0.5."""
    distinct = np.unique(scores)
    between = (distinct[1:] + distinct[:-1]) / 2
    if len(between) > _MOST:
        between = between[np.linspace(0, len(between) - 1, _MOST).round().astype(int)]
    return np.unique([*between, 0.5])
