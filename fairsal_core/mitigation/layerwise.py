"""`layerwise`: one layer's weights are changed by a search without gradients, layer after layer; the best layer is kept (Savani
et al. 2020, section 4, layer-wise optimisation).

The search asks a model of what it has seen which weights look best: gradient-boosted trees for three quantiles, as in the
paper. What is searched is a factor for every unit of the layer, not every single weight.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from fairsal_core.classifiers import find_layer
from fairsal_core.mitigation.base import Applied, LabelledFaces
from fairsal_core.mitigation.intra_processing import (
    IntraProcessingSettings,
    best_threshold,
    kept_weights,
    scale_units,
    some_of,
    units_of,
    weighted_layers,
)
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.thresholds import EVERYBODY, one_rule, with_rules
from fairsal_core.progress import Progress, silent

Values = NDArray[np.float64]
_LAYERS = 2  # searched by default, the last ones
_GUESSES = 500  # random points that the model of the objective is asked about


class LayerwiseSettings(IntraProcessingSettings):
    """Settings of `layerwise`."""

    searched_layers: tuple[str, ...] = Field((), description="layers to change; none given: the last two with weights")
    evaluations: int = Field(20, ge=2, le=10_000, description="changes of each layer to try")
    span: float = Field(0.5, gt=0, le=1, description="factors are searched from 1 less this to 1 plus this")


def layerwise(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: LayerwiseSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with the best change of one layer. Changes and thresholds are searched on the mitigation split, the
    layer is chosen on the validation faces."""
    layers = list(settings.searched_layers) or weighted_layers(classifier, fit.images)[-_LAYERS:]
    judged_on = some_of(fit, settings.faces, seed)
    search = Search(classifier, validation, settings)

    def build(candidate: nn.Module, layer: str) -> None:
        module = find_layer(candidate, layer)

        def quality(factors: Values) -> float:
            with kept_weights(module):
                scale_units(module, torch.from_numpy(factors))
                return best_threshold(candidate, judged_on, search)[1]

        factors = maximise(quality, units_of(module), settings.span, settings.evaluations, seed)
        scale_units(module, torch.from_numpy(factors))
        cut, _ = best_threshold(candidate, judged_on, search)
        with_rules(candidate, validation, one_rule(cut), EVERYBODY)

    for done, layer in enumerate(layers, start=1):
        search.attempt({"layer": layer}, partial(build, layer=layer))
        progress(done, len(layers), f"layer {layer}")
    changed, _, trace = search.outcome()
    return Applied(changed, trace)


def maximise(quality: Callable[[Values], float], size: int, span: float, evaluations: int, seed: int) -> Values:
    """Return the factors (size,), within 1 +- span, of the highest quality among so many that are tried.

    A first half is random; after that each is the one, of many random ones and of small steps from the best,
    that gradient-boosted trees expect to improve most (expected improvement under a normal distribution through their 16%, 50%
    and 84% quantiles).
    """
    generator = np.random.default_rng(seed)
    tried: list[Values] = []
    found: list[float] = []
    while len(tried) < evaluations:
        factors = _random(generator, 1, size, span)[0]
        if len(tried) >= max(2, evaluations // 2):
            best = tried[int(np.argmax(found))]
            steps = best + _random(generator, _GUESSES, size, span / 5) - 1
            guesses = np.clip(np.concatenate([_random(generator, _GUESSES, size, span), steps]), 1 - span, 1 + span)
            factors = guesses[int(np.argmax(expected_improvement(np.array(tried), np.array(found), guesses, seed)))]
        tried.append(factors)
        found.append(quality(factors))
    return tried[int(np.argmax(found))]


def expected_improvement(tried: Values, found: Values, guesses: Values, seed: int) -> Values:
    """Return how much better than the best found (T,) each guess (G, D) is expected to be, by trees fitted to the tried (T, D)."""
    from scipy.stats import norm
    from sklearn.ensemble import GradientBoostingRegressor

    low, middle, high = (
        GradientBoostingRegressor(loss="quantile", alpha=alpha, n_estimators=30, random_state=seed)
        .fit(tried, found)
        .predict(guesses)
        for alpha in (0.16, 0.5, 0.84)
    )
    deviation = np.maximum((high - low) / 2, 1e-9)
    better = (middle - found.max()) / deviation
    result: Values = deviation * (better * norm.cdf(better) + norm.pdf(better))
    return result


def _random(generator: np.random.Generator, count: int, size: int, span: float) -> Values:
    return generator.uniform(1 - span, 1 + span, (count, size))
