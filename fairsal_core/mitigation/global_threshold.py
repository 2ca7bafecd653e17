"""`global_threshold`: one threshold for everybody, where the groups differ least and accuracy stays above a floor."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import THRESHOLD
from fairsal_core.mitigation.base import Applied, LabelledFaces, MitigationSettings, Trial
from fairsal_core.mitigation.search import Search, judge, worth_of
from fairsal_core.mitigation.thresholds import EVERYBODY, usable_scores, with_rules
from fairsal_core.progress import Progress, silent

_MOST = 200  # candidates; with more validation faces, quantiles of the cuts between their scores


class GlobalThresholdSettings(MitigationSettings):
    """Settings of `global_threshold`; `tolerance` is the floor: how much accuracy may be given up."""


def global_threshold(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: GlobalThresholdSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with the best threshold on the validation faces; its logits are the same."""
    scores = usable_scores(classifier, validation)
    search = Search(classifier, validation, settings.tolerance)
    judged = [(float(cut), judge((scores > cut).astype(np.float64), validation)) for cut in cuts(scores)]
    best, _ = max(judged, key=lambda pair: (worth_of(pair[1], search.floor), -abs(pair[0] - THRESHOLD)))
    rule = np.array([[0.0, 0.0, 1.0, best, 1.0, 0.0, 0.0, 1.0]])
    search.attempt({"threshold": best}, lambda candidate: with_rules(candidate, validation, rule, EVERYBODY))
    decided, _, trace = search.outcome()
    others = [Trial({"threshold": cut}, *judgement) for cut, judgement in judged if cut != best]
    progress(1, 1, f"{len(judged)} thresholds compared")
    return Applied(decided, (*trace, *others))


def cuts(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return thresholds that tell scores (N,) apart in every way, or 200 of them spread evenly, with 0.5."""
    distinct = np.unique(scores)
    between = (distinct[1:] + distinct[:-1]) / 2
    if len(between) > _MOST:
        between = between[np.linspace(0, len(between) - 1, _MOST).round().astype(int)]
    return np.unique([*between, 0.5])
