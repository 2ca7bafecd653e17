"""The area under the ROC curve against scikit-learn and pair by pair, and how often its interval holds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fairsal_core.metrics import auc_interval, roc_auc

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40)


def slow(scores: list[int], labels: list[bool]) -> float:
    """Over all pairs of a face that shows it and one that does not: how often the first has the higher score."""
    shows = [score for score, label in zip(scores, labels, strict=True) if label]
    others = [score for score, label in zip(scores, labels, strict=True) if not label]
    won = [(one > other) + (one == other) / 2 for one in shows for other in others]
    return sum(won) / len(won) if won else math.nan


@given(PAIRS)
def test_the_area_pair_by_pair(pairs: list[tuple[int, bool]]) -> None:
    scores, labels = [score for score, _ in pairs], [label for _, label in pairs]
    found = roc_auc(np.array(scores, dtype=float), np.array(labels))
    assert float(found) == pytest.approx(slow(scores, labels), nan_ok=True)


def test_the_area_of_many_columns_at_once_against_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random(200) < 0.1
    scores = generator.normal(size=(200, 3, 4)) + labels[:, None, None] * np.linspace(0, 3, 12).reshape(3, 4)
    expected = [[roc_auc_score(labels, scores[:, row, column]) for column in range(4)] for row in range(3)]
    np.testing.assert_allclose(roc_auc(scores, labels), expected)


@pytest.mark.parametrize(
    ("positives", "negatives", "true"), [(5, 5, 0.8), (10, 200, 0.8), (20, 980, 0.7), (3, 100, 0.99), (100, 100, 0.5)]
)
def test_the_interval_holds(positives: int, negatives: int, true: float) -> None:
    generator = np.random.default_rng(1)
    labels = np.arange(positives + negatives) < positives
    apart = math.sqrt(2) * norm.ppf(true)
    held = 0
    for area in roc_auc(generator.normal(size=(len(labels), 1000)) + apart * labels[:, None], labels):
        low, high = auc_interval(float(area), positives, negatives)
        assert 0 <= low <= area <= high <= 1
        assert low < high
        held += low <= true <= high
    assert 0.93 <= held / 1000 <= 0.995


def test_nothing_is_said_of_one_class() -> None:
    assert math.isnan(roc_auc(np.array([0.1, 0.2]), np.array([True, True])))
    assert all(map(math.isnan, auc_interval(0.5, 0, 10)))
