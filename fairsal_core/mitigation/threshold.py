"""`threshold`: thresholds for each group (Hardt, Price and Srebro 2016), by fairlearn's `ThresholdOptimizer`.

Where no threshold meets the constraint, it draws between two; decisions are then probabilities, and metrics expectations.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from fairsal_core.mitigation.base import Applied, LabelledFaces, MitigationSettings
from fairsal_core.mitigation.search import Search
from fairsal_core.mitigation.thresholds import Rules, usable_scores, with_rules
from fairsal_core.progress import Progress, silent

_FAIRLEARN = {
    "equalized_odds": "equalized_odds",
    "equal_opportunity": "true_positive_rate_parity",
    "demographic_parity": "demographic_parity",
}


class ThresholdSettings(MitigationSettings):
    """Settings of `threshold`."""

    constraint: Literal["equalized_odds", "equal_opportunity", "demographic_parity"] = Field(
        "equalized_odds", description="what is to be equal between the groups"
    )
    objective: Literal["balanced_accuracy_score", "accuracy_score"] = Field(
        "balanced_accuracy_score", description="what is best under the constraint"
    )


def threshold(
    classifier: nn.Module,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: ThresholdSettings,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Applied:
    """Return the classifier with thresholds for each group, chosen on the validation faces; its logits are the same."""
    scores = usable_scores(classifier, validation)
    search = Search(classifier, validation, settings)

    def build(candidate: nn.Module) -> None:
        with_rules(candidate, validation, *group_rules(scores, validation.target, validation.confounder, settings))

    search.attempt({"constraint": settings.constraint}, build)
    decided, _, trace = search.outcome()
    progress(1, 1, "thresholds chosen")
    return Applied(decided, trace)


def group_rules(
    scores: NDArray[np.float64],
    target: NDArray[np.bool_],
    groups: NDArray[np.bool_],
    settings: ThresholdSettings,
) -> tuple[Rules, NDArray[np.int64]]:
    """Return fairlearn's rules (G, 8) and the groups (G,), as `fairsal_core.classifiers.Decision` takes them."""
    optimiser = fitted_optimiser(scores, target, groups, settings)
    interpolations = optimiser.interpolated_thresholder_.interpolation_dict
    known = sorted(interpolations)
    return np.array([_rule(interpolations[group]) for group in known]), np.array(known, dtype=np.int64)


def fitted_optimiser(
    scores: NDArray[np.float64], target: NDArray[np.bool_], groups: NDArray[np.bool_], settings: ThresholdSettings
) -> Any:
    """Return a `ThresholdOptimizer` fitted to scores; its input is one column, the scores."""
    from fairlearn.postprocessing import ThresholdOptimizer
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Scores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no types
        """A classifier whose scores are its input: what `ThresholdOptimizer` asks for."""

        def fit(self, scores: Any, labels: Any) -> "Scores":
            return self

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict_proba(self, scores: Any) -> NDArray[np.float64]:
            column = np.asarray(scores, dtype=np.float64).reshape(-1)
            return np.stack([1 - column, column], axis=1)

    optimiser = ThresholdOptimizer(
        estimator=Scores(),
        constraints=_FAIRLEARN[settings.constraint],
        objective=settings.objective,
        prefit=True,
        predict_method="predict_proba",
    )
    return optimiser.fit(scores[:, None], target.astype(int), sensitive_features=groups.astype(int))


def _rule(interpolation: Any) -> list[float]:
    ignore = float(interpolation.get("p_ignore", 0.0))
    constant = float(interpolation.get("prediction_constant", 0.0))
    rule = [ignore, constant]
    for weight, operation in (
        (interpolation.p0, interpolation.operation0),
        (interpolation.p1, interpolation.operation1),
    ):
        rule += [float(weight), float(operation.threshold), 1.0 if operation.operator == ">" else -1.0]
    return rule
