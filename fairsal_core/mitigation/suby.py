"""`suby`: subsampling by class (SUBY; Idrissi et al. 2022).

Training goes on with a draw of the faces, made once and without replacement, that has as many of each class as the smallest has.
"""

from torch import nn

from fairsal_core.mitigation.base import Applied, ChooseBy, LabelledFaces, chosen_by
from fairsal_core.mitigation.robust import (
    Candidate,
    Learning,
    RobustSettings,
    class_numbers,
    go_on_training,
    subsampled,
)
from fairsal_core.progress import Progress, silent


class SubySettings(RobustSettings):
    """Settings of `suby`."""

    choose_by: ChooseBy = chosen_by("worst_class")


def suby(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: SubySettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier after training on with classes of equal size."""

    def candidates(learning: Learning) -> list[Candidate]:
        return [Candidate({}, subsampled(class_numbers(learning.fit, "suby"), seed))]

    return go_on_training(classifier, (fit, validation), settings, candidates, seed=seed, progress=progress)
