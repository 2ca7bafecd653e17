"""Concept directions: their formulas, their sign, and that batches change nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import nn

from fairsal_core.errors import FairsalError
from fairsal_core.mitigation import ESTIMATORS, LabelledFaces, concept_directions, fit_cav, mean_activations
from fairsal_core.mitigation.cav import best_threshold, roc_auc
from tests.mitigation.networks import LAST_STAGE


def concept(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Correlated activations that move along (3, -2, 0, 0) with the concept."""
    generator = np.random.default_rng(seed)
    labels = generator.random(count) < 0.3
    mixed = generator.normal(size=(count, 4)) @ generator.normal(size=(4, 4))
    return mixed + labels[:, None] * np.array([3.0, -2.0, 0.0, 0.0]), labels


def test_signal_is_the_difference_of_class_means_for_binary_labels() -> None:
    activations, labels = concept(500, 0)
    raw = ESTIMATORS["signal"](activations, labels)
    np.testing.assert_allclose(raw, activations[labels].mean(axis=0) - activations[~labels].mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(raw, ESTIMATORS["mean"](activations, labels), atol=1e-12)


def test_signal_is_the_regression_slope_of_each_activation() -> None:
    """cov(a, y) / var(y), one activation after the other."""
    activations, labels = concept(300, 1)
    y = labels.astype(float)
    slow = [np.cov(column, y)[0, 1] / y.var(ddof=1) for column in activations.T]
    np.testing.assert_allclose(ESTIMATORS["signal"](activations, labels), slow, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_cav_has_length_one_points_to_the_concept_and_tells_it(estimator: str) -> None:
    cav = fit_cav(*concept(600, 2), *concept(400, 3), estimator)  # type: ignore[arg-type]
    assert np.linalg.norm(cav.direction) == pytest.approx(1, abs=1e-12)
    assert cav.level_with > cav.threshold > cav.level_without
    held_out, labels = concept(400, 3)
    assert cav.separability == pytest.approx(roc_auc_score(labels, held_out @ cav.direction), abs=1e-12)
    assert cav.separability > 0.75


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_concept_read_the_other_way_turns_the_direction_round(estimator: str) -> None:
    (activations, labels), (held_out, other) = concept(600, 2), concept(400, 3)
    cav = fit_cav(activations, labels, held_out, other, estimator)  # type: ignore[arg-type]
    turned = fit_cav(activations, ~labels, held_out, ~other, estimator)  # type: ignore[arg-type]
    np.testing.assert_allclose(turned.direction, -cav.direction, atol=1e-3)
    assert turned.level_with == pytest.approx(-cav.level_without, abs=1e-2)


def test_units_of_an_activation_do_not_change_what_linear_classifiers_find() -> None:
    activations, labels = concept(500, 4)
    units = np.array([1.0, 100.0, 0.01, 1.0])
    for estimator in ("svm", "logistic", "ridge"):
        one = ESTIMATORS[estimator](activations, labels)
        other = ESTIMATORS[estimator](activations * units, labels)
        np.testing.assert_allclose(other * units, one, rtol=1e-3, atol=1e-5)


def test_roc_auc_with_ties_is_sklearns() -> None:
    generator = np.random.default_rng(0)
    scores, labels = generator.integers(0, 6, 200).astype(float), generator.random(200) < 0.4
    assert roc_auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_the_threshold_has_the_best_balanced_accuracy_of_all() -> None:
    generator = np.random.default_rng(1)
    labels = generator.random(80) < 0.3
    scores = generator.normal(size=80).round(1) + labels
    every = [balanced_accuracy_score(labels, scores > cut) for cut in np.linspace(-4, 5, 901)]
    found = balanced_accuracy_score(labels, scores > best_threshold(scores, labels))
    assert found == pytest.approx(max(every), abs=1e-12)


def test_errors_say_what_is_missing() -> None:
    activations, labels = concept(50, 0)
    with pytest.raises(FairsalError, match="did you mean 'signal'"):
        fit_cav(activations, labels, activations, labels, "signa")  # type: ignore[arg-type]
    with pytest.raises(FairsalError, match="two faces with the concept"):
        fit_cav(activations, np.zeros(50, bool), activations, labels)
    with pytest.raises(FairsalError, match="no difference"):
        fit_cav(np.ones((50, 4)), labels, activations, labels)


def test_batch_sizes_change_neither_activations_nor_cav(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    few = LabelledFaces(fit.images[:130], fit.target[:130], fit.confounder[:130])
    reference = concept_directions(biased, [LAST_STAGE], few, validation, "signal", 128)[LAST_STAGE]
    slow = mean_activations(biased, [LAST_STAGE], few.images, 1)[LAST_STAGE]
    for size in (1, 7, 32):
        np.testing.assert_allclose(
            mean_activations(biased, [LAST_STAGE], few.images, size)[LAST_STAGE], slow, atol=1e-5
        )
        cav = concept_directions(biased, [LAST_STAGE], few, validation, "signal", size)[LAST_STAGE]
        np.testing.assert_allclose(cav.direction, reference.direction, atol=1e-5)
        assert cav.level_without == pytest.approx(reference.level_without, abs=1e-5)
        assert cav.level_with == pytest.approx(reference.level_with, abs=1e-5)
