"""`dfr`: deep feature reweighting (Kirichenko et al. 2023). The features stay as they are; the last layer becomes a logistic
regression with an L1 penalty on standardised features of held-out faces, as many of each group, and the mean of ten such draws.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from fairsal_core.mitigation.base import Applied, ChooseBy, LabelledFaces, MitigationSettings, chosen_by
from fairsal_core.mitigation.features import FeatureFaces, last_layer_of, with_last_layer
from fairsal_core.mitigation.robust import balanced_rows, group_numbers
from fairsal_core.mitigation.search import Search
from fairsal_core.progress import Progress, silent

Values = NDArray[np.float64]
_ITERATIONS = 1000


class DfrSettings(MitigationSettings):
    """Settings of `dfr`."""

    choose_by: ChooseBy = chosen_by("worst_group")
    strengths: tuple[float, ...] = Field(
        (1.0, 0.3, 0.1, 0.03, 0.01), min_length=1, description="C, inverse strengths of the L1 penalty to search"
    )
    draws: int = Field(10, ge=1, le=1000, description="group-balanced draws whose weights are averaged")

    @property
    def on_features(self) -> bool:
        """It learns the last layer alone, always."""
        return True


def dfr(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: DfrSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with a new last layer, whose penalty is chosen on the validation faces."""
    groups = group_numbers(fit, "dfr")
    view = last_layer_of(classifier, fit, validation)
    search = Search(view.layer, view.validation, settings)
    for done, strength in enumerate(settings.strengths, start=1):

        def build(layer: nn.Module, strength: float = strength) -> None:
            weights, intercept = reweighted(view.fit, groups, strength, settings.draws, seed)
            set_margin(layer, weights, intercept)

        search.attempt({"C": strength}, build)
        progress(done, len(settings.strengths), f"C {strength:g}")
    layer, _, trace = search.outcome()
    assert isinstance(layer, nn.Linear)
    return Applied(with_last_layer(classifier, layer, fit.images).eval(), trace)


def reweighted(
    faces: FeatureFaces, groups: NDArray[np.int64], strength: float, draws: int, seed: int
) -> tuple[Values, float]:
    """Return the weights (D,) and the intercept of the margin, averaged over draws and scaled back to the features.

    Features are standardised over all faces given; one that never varies has no weight.
    """
    from sklearn.linear_model import LogisticRegression

    features = faces.features.double().cpu().numpy()
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    standard = (features - mean) / np.where(deviation > 0, deviation, 1.0)
    generator = np.random.default_rng(seed)
    fits = []
    for _ in range(draws):
        rows = balanced_rows(groups, generator)
        model = LogisticRegression(
            l1_ratio=1.0, C=strength, solver="liblinear", max_iter=_ITERATIONS, random_state=seed
        )
        model.fit(standard[rows], faces.target[rows])
        fits.append((model.coef_[0], model.intercept_[0]))
    coefficients, intercepts = (np.mean(part, axis=0) for part in zip(*fits, strict=True))
    weights = np.where(deviation > 0, coefficients / np.where(deviation > 0, deviation, 1.0), 0.0)
    return weights, float(intercepts - weights @ mean)


@torch.no_grad()
def set_margin(layer: nn.Module, weights: Values, intercept: float) -> None:
    """Give a last layer logits (-z / 2, z / 2) with z = w . x + b, in place: its score is then the logistic of z."""
    assert isinstance(layer, nn.Linear)
    halves = torch.tensor([[-0.5], [0.5]], dtype=torch.float64)
    layer.weight.copy_(halves * torch.from_numpy(weights))
    layer.bias.copy_(halves[:, 0] * intercept)
