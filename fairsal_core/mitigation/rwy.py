"""`rwy`: reweighting by class (RWY; Idrissi et al. 2022).

Training goes on with faces drawn with replacement, each class being as likely as another.
"""

from torch import nn

from fairsal_core.mitigation.base import Applied, ChooseBy, LabelledFaces, chosen_by
from fairsal_core.mitigation.robust import (
    Candidate,
    Learning,
    RobustSettings,
    class_numbers,
    drawn_equally,
    go_on_training,
)
from fairsal_core.progress import Progress, silent


class RwySettings(RobustSettings):
    """Settings of `rwy`."""

    choose_by: ChooseBy = chosen_by("worst_class")


def rwy(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: RwySettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after training on with classes of equal weight."""

    def candidates(learning: Learning) -> list[Candidate]:
        return [Candidate({}, drawn_equally(class_numbers(learning.fit, "rwy")))]

    return go_on_training(classifier, (fit, validation), settings, candidates, seed=seed, progress=progress)
