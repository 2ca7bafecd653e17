"""`rwg`: reweighting by group (RWG; Idrissi et al. 2022).

Training goes on with faces drawn with replacement, each group being as likely as another.
"""

from torch import nn

from fairsal_core.mitigation.base import Applied, LabelledFaces
from fairsal_core.mitigation.robust import (
    Candidate,
    Learning,
    RobustSettings,
    drawn_equally,
    go_on_training,
    group_numbers,
)
from fairsal_core.progress import Progress, silent


class RwgSettings(RobustSettings):
    """Settings of `rwg`."""


def rwg(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: RwgSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after training on with groups of equal weight."""

    def candidates(learning: Learning) -> list[Candidate]:
        return [Candidate({}, drawn_equally(group_numbers(learning.fit, "rwg")))]

    return go_on_training(classifier, (fit, validation), settings, candidates, seed=seed, progress=progress)
