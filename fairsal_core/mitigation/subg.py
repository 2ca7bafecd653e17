"""`subg`: subsampling by group (SUBG; Idrissi et al. 2022).

Training goes on with a draw of the faces, made once and without replacement, that has as many of each group as the smallest has.
"""

from torch import nn

from fairsal_core.mitigation.base import Applied, LabelledFaces
from fairsal_core.mitigation.robust import (
    Candidate,
    Learning,
    RobustSettings,
    go_on_training,
    group_numbers,
    subsampled,
)
from fairsal_core.progress import Progress, silent


class SubgSettings(RobustSettings):
    """Settings of `subg`."""


def subg(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: SubgSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after training on with groups of equal size."""

    def candidates(learning: Learning) -> list[Candidate]:
        return [Candidate({}, subsampled(group_numbers(learning.fit, "subg"), seed))]

    return go_on_training(classifier, (fit, validation), settings, candidates, seed=seed, progress=progress)
