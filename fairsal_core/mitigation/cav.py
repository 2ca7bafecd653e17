"""Concept activation vectors (CAV): the direction in which a layer's activations differ with a concept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairsal_core.errors import FairsalError, unknown_name

Values = NDArray[np.float64]
Labels = NDArray[np.bool_]
Estimator = Literal["signal", "mean", "ridge", "svm", "logistic"]
_FEWEST = 2


@dataclass(frozen=True)
class Cav:
    """A concept's direction in a layer's mean activations m(a).

    Attributes
    ----------
    direction : array, (C,)
        v, |v| = 1, pointing to the faces with the concept.
    level_with, level_without : float
        z+ and z-: mean of m(a) . v over the faces with and without the concept.
    threshold : float
        The value of m(a) . v that tells the two apart best (balanced accuracy).
    separability : float
        ROC-AUC of m(a) . v on held-out faces; 0.5 is chance.
    """

    direction: Values
    level_with: float
    level_without: float
    threshold: float
    separability: float

    def tensors(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return v, z+ and z- as float32 on a device."""
        direction, with_, without = (
            torch.as_tensor(value, dtype=torch.float32, device=device)
            for value in (self.direction, self.level_with, self.level_without)
        )
        return direction, with_, without


def fit_cav(
    activations: Values, concept: Labels, held_out: Values, held_out_concept: Labels, estimator: Estimator = "signal"
) -> Cav:
    """Estimate a CAV.

    Parameters
    ----------
    activations, held_out : arrays, (N, C) and (M, C)
        Mean activations of the faces to fit, and of those that separability is measured on.
    concept, held_out_concept : arrays, (N,) and (M,) bool
        Who has the concept.
    estimator : str
        signal: cov(a, y) / var(y) (Haufe et al. 2014; Pahde et al. 2022); mean: difference of the class means, the same
        for a binary concept; ridge, svm, logistic: the weights of a linear classifier (Kim et al. 2018), fitted to
        standardised activations and scaled back.

    Raises
    ------
    FairsalError
        If there are too few faces with or without the concept, or it makes no difference to the activations.
    """
    if estimator not in ESTIMATORS:
        raise unknown_name("CAV estimator", estimator, ESTIMATORS)
    for labels in (concept, held_out_concept):
        if min(int(labels.sum()), int((~labels).sum())) < _FEWEST:
            raise FairsalError("A concept direction needs at least two faces with the concept and two without.")
    raw = ESTIMATORS[estimator](activations, concept)
    length = float(np.linalg.norm(raw))
    if not np.isfinite(length) or length == 0:
        raise FairsalError("The concept makes no difference to this layer's activations; choose another layer.")
    direction = raw / length
    presence = activations @ direction
    if presence[concept].mean() < presence[~concept].mean():
        direction, presence = -direction, -presence
    return Cav(
        direction,
        float(presence[concept].mean()),
        float(presence[~concept].mean()),
        best_threshold(presence, concept),
        roc_auc(held_out @ direction, held_out_concept),
    )


def roc_auc(scores: Values, labels: Labels) -> float:
    """Return the probability that a face with the label scores higher than one without; ties count half."""
    from scipy.stats import rankdata

    positives = int(labels.sum())
    ranks = rankdata(scores)[labels].sum() - positives * (positives + 1) / 2
    return float(ranks / (positives * (len(labels) - positives)))


def best_threshold(scores: Values, labels: Labels) -> float:
    """Return the cut between two scores with the largest balanced accuracy of "above means with"."""
    order = np.argsort(scores)
    ranked, sorted_labels = scores[order], labels[order]
    below_with = np.cumsum(sorted_labels)[:-1] / labels.sum()
    below_without = np.cumsum(~sorted_labels)[:-1] / (~labels).sum()
    gain = np.where(ranked[1:] > ranked[:-1], below_without - below_with, -np.inf)
    best = int(np.argmax(gain))
    return float((ranked[best] + ranked[best + 1]) / 2)


def _signal(activations: Values, concept: Labels) -> Values:
    y = concept.astype(np.float64)
    centred = y - y.mean()
    result: Values = centred @ (activations - activations.mean(axis=0)) / (centred @ centred)
    return result


def _mean(activations: Values, concept: Labels) -> Values:
    result: Values = activations[concept].mean(axis=0) - activations[~concept].mean(axis=0)
    return result


def _ridge(activations: Values, concept: Labels) -> Values:
    from sklearn.linear_model import RidgeClassifier

    return _linear(RidgeClassifier(alpha=1.0), activations, concept)


def _svm(activations: Values, concept: Labels) -> Values:
    from sklearn.svm import LinearSVC

    # The primal problem: the dual one is solved in random order, and may end before it converged.
    return _linear(LinearSVC(C=0.01, dual=False), activations, concept)


def _logistic(activations: Values, concept: Labels) -> Values:
    from sklearn.linear_model import LogisticRegression

    return _linear(LogisticRegression(C=0.1, max_iter=1000), activations, concept)


def _linear(model: object, activations: Values, concept: Labels) -> Values:
    spread = activations.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    model.fit((activations - activations.mean(axis=0)) / scale, concept)  # type: ignore[attr-defined]
    result: Values = np.ravel(model.coef_) / scale  # type: ignore[attr-defined]
    return result


ESTIMATORS: dict[str, Callable[[Values, Labels], Values]] = {
    "signal": _signal,
    "mean": _mean,
    "ridge": _ridge,
    "svm": _svm,
    "logistic": _logistic,
}
