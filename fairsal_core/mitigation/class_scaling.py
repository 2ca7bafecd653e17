"""`class_scaling`: a factor for each class's probability, chosen for the worst group (Seo and Han 2025).

Of two classes only the quotient s of the factors counts: yes where s p(yes) > p(no), which is a threshold of 1 / (1 + s) for
everybody. It is the control for every method that learns: what it gains could be had from the given classifier by this alone.
"""

from dataclasses import replace

from torch import nn

from fairsal_core.mitigation.base import Applied, ChooseBy, LabelledFaces, MitigationSettings, chosen_by
from fairsal_core.mitigation.global_threshold import global_threshold
from fairsal_core.progress import Progress, silent


class ClassScalingSettings(MitigationSettings):
    """Settings of `class_scaling`."""

    choose_by: ChooseBy = chosen_by("worst_group")


def class_scaling(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: ClassScalingSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with scaled classes, the scale being chosen on the validation faces; its logits are the same."""
    applied = global_threshold(classifier, fit, validation, settings, seed=seed, progress=progress)
    chosen = next(trial for trial in applied.trace if trial.chosen)
    return replace(applied, diagnostics={"scale": scale_of(chosen.settings["threshold"])})


def scale_of(threshold: float) -> float:
    """Return the factor of the target's probability, over the other's, that a threshold of its share amounts to.

    Examples
    --------
    >>> scale_of(0.25)
    3.0
    """
    return (1 - threshold) / threshold
