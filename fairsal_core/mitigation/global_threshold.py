"""`global_threshold`: one threshold for everybody, where the groups differ least and accuracy stays above a floor."""

from torch import nn

from fairsal_core.mitigation.base import Applied, LabelledFaces, MitigationSettings, Trial
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.thresholds import EVERYBODY, judged_cuts, one_rule, usable_scores, with_rules
from fairsal_core.progress import Progress, silent


class GlobalThresholdSettings(MitigationSettings):
    """Settings of `global_threshold`; `tolerance` is the floor: how much accuracy may be given up."""


def global_threshold(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: MitigationSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with the best threshold on the validation faces; its logits are the same."""
    scores = usable_scores(classifier, validation)
    search = Search(classifier, validation, settings)
    (best, _), *others = judged_cuts(scores, validation, search.worth)
    search.attempt({"threshold": best}, lambda candidate: with_rules(candidate, validation, one_rule(best), EVERYBODY))
    decided, _, trace = search.outcome()
    progress(1, 1, f"{1 + len(others)} thresholds compared")
    return Applied(decided, (*trace, *(Trial({"threshold": cut}, *judgement) for cut, judgement in others)))
