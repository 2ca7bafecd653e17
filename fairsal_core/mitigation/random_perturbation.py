"""`random_perturbation`: all weights times noise around 1, many times; the best is kept (Savani et al. 2020, algorithm 1)."""

import torch
from pydantic import Field
from torch import nn

from fairsal_core.mitigation.base import Applied, LabelledFaces
from fairsal_core.mitigation.intra_processing import IntraProcessingSettings, best_threshold, some_of
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.thresholds import EVERYBODY, one_rule, with_rules
from fairsal_core.progress import Progress, silent


class RandomPerturbationSettings(IntraProcessingSettings):
    """Settings of `random_perturbation`."""

    trials: int = Field(30, ge=1, le=100_000, description="T, perturbed classifiers to try")
    deviation: float = Field(0.1, gt=0, le=1, description="standard deviation of the factors, whose mean is 1")


def random_perturbation(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: RandomPerturbationSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the best of many perturbed classifiers. Each has the threshold that is best for it on the mitigation split; among
    them is chosen on the validation faces."""
    judged_on = some_of(fit, settings.faces, seed)
    generator = torch.Generator().manual_seed(seed)
    search = Search(classifier, validation, settings)

    def build(candidate: nn.Module) -> None:
        perturb(candidate, settings.deviation, generator)
        cut, _ = best_threshold(candidate, judged_on, search)
        with_rules(candidate, validation, one_rule(cut), EVERYBODY)

    for trial in range(1, settings.trials + 1):
        search.attempt({"trial": trial}, build)
        progress(trial, settings.trials, f"perturbation {trial} of {settings.trials}")
    perturbed, _, trace = search.outcome()
    return Applied(perturbed, trace)


@torch.no_grad()
def perturb(classifier: nn.Module, deviation: float, generator: torch.Generator) -> None:
    """Multiply each weight by a draw from N(1, deviation^2), in place."""
    for parameter in classifier.parameters():
        factors = 1 + deviation * torch.randn(parameter.shape, generator=generator)
        parameter.mul_(factors.to(parameter))
