"""Calibration against a loop, scikit-learn's calibration curve, and temperatures that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss as sklearn_log_loss

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import expected_calibration_error, fit_temperature, reliability, top_label
from fairsal_core.metrics.calibration import log_loss


def slow_ece(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    """One bin at a time, as the definition reads."""
    total = 0.0
    for number in range(bins):
        last = number == bins - 1
        inside = [
            index
            for index, value in enumerate(confidence)
            if value >= np.linspace(0, 1, bins + 1)[number]
            and (value < np.linspace(0, 1, bins + 1)[number + 1] or last)
        ]
        if inside:
            gap = np.mean(correct[inside]) - np.mean(confidence[inside])
            total += len(inside) / len(confidence) * abs(gap)
    return total


@given(
    st.lists(st.tuples(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.29, 0.5, 1.0])), st.booleans()), min_size=1),
    st.integers(1, 100),
)
def test_ece_against_one_bin_at_a_time(pairs: list[tuple[float, bool]], bins: int) -> None:
    confidence, correct = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    diagram = reliability(confidence, correct, bins)
    assert diagram.count.sum() == len(pairs)
    assert expected_calibration_error(diagram) == pytest.approx(slow_ece(confidence, correct, bins), abs=1e-9)


def test_the_diagram_against_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.5, 1, 5000)
    correct = generator.uniform(size=5000) < confidence**2
    diagram = reliability(confidence, correct, 20)
    accuracy, mean = calibration_curve(correct, confidence, n_bins=20, strategy="uniform")
    filled = diagram.count > 0
    np.testing.assert_allclose(diagram.accuracy[filled], accuracy)
    np.testing.assert_allclose(diagram.mean_confidence[filled], mean)
    assert np.isnan(diagram.accuracy[~filled]).all()


def test_batches_add_up() -> None:
    generator = np.random.default_rng(1)
    confidence, correct = generator.uniform(size=300), generator.uniform(size=300) < 0.5
    whole = reliability(confidence, correct)
    parts = reliability(confidence[:100], correct[:100]) + reliability(confidence[100:], correct[100:])
    np.testing.assert_array_equal(whole.count, parts.count)
    assert expected_calibration_error(parts) == pytest.approx(expected_calibration_error(whole))


def test_extremes() -> None:
    assert expected_calibration_error(reliability(np.ones(4), np.zeros(4, dtype=bool))) == 1
    assert expected_calibration_error(reliability(np.ones(4), np.ones(4, dtype=bool))) == 0
    assert np.isnan(expected_calibration_error(reliability(np.zeros(0), np.zeros(0, dtype=bool))))


@pytest.mark.parametrize("classes", [2, 9])
def test_top_label_and_loss_against_scipy_and_scikit_learn(classes: int) -> None:
    generator = np.random.default_rng(classes)
    logits, labels = generator.normal(0, 3, (200, classes)), generator.integers(0, classes, 200)
    probabilities = softmax(logits, axis=1)
    confidence, correct = top_label(logits, labels)
    np.testing.assert_allclose(confidence, probabilities.max(axis=1))
    np.testing.assert_array_equal(correct, probabilities.argmax(axis=1) == labels)
    assert log_loss(logits, labels) == pytest.approx(sklearn_log_loss(labels, probabilities, labels=range(classes)))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 7])
def test_a_known_temperature_is_found(temperature: float, classes: int) -> None:
    generator = np.random.default_rng(3)
    honest = generator.normal(0, 2, (20_000, classes))
    labels = np.array([generator.choice(classes, p=row) for row in softmax(honest, axis=1)])
    found = fit_temperature(honest * temperature, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    before, after = (
        expected_calibration_error(reliability(*top_label(honest * temperature / divisor, labels)))
        for divisor in (1.0, found)
    )
    assert after < 0.03
    assert temperature == 1 or after < before


def test_refusals() -> None:
    with pytest.raises(FairsalError, match="one shape"):
        reliability(np.ones(3), np.ones(2, dtype=bool))
    with pytest.raises(FairsalError, match=r"in \[0, 1\]"):
        reliability(np.array([1.2]), np.ones(1, dtype=bool))
    with pytest.raises(FairsalError, match="of at least one face"):
        fit_temperature(np.ones((0, 2)), np.ones(0, dtype=np.int64))
