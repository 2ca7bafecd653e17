"""What the threshold methods share: scores of the validation faces, and rules put behind the output layer."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import Decision, has_thresholds, insert, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import LabelledFaces
from fairsal_core.mitigation.layers import output_layer

Rules = NDArray[np.float64]
EVERYBODY = np.zeros(0, dtype=np.int64)


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
