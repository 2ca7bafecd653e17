"""The area under the ROC curve against scikit-learn and pair by pair, and how often its interval holds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from fairsal_core.metrics import auc_change_interval, auc_interval, roc_auc

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


def slow_change(before: list[float], after: list[float], labels: list[bool]) -> tuple[float, float]:
    """Change of the area and its standard error, each face's placement counted pair by pair."""

    def won(scores: list[float], one: int, other: int) -> float:
        return float(scores[one] > scores[other]) + (scores[one] == scores[other]) / 2

    shows = [row for row, label in enumerate(labels) if label]
    others = [row for row, label in enumerate(labels) if not label]
    moved = {
        row: np.mean(
            [
                won(after, *pair) - won(before, *pair)
                for pair in ((row, o) if row in shows else (o, row) for o in against)
            ]
        )
        for mine, against in ((shows, others), (others, shows))
        for row in mine
    }
    variances = [np.var([moved[row] for row in side], ddof=1) / len(side) for side in (shows, others)]
    return float(np.mean([moved[row] for row in shows])), math.sqrt(sum(variances))


def test_the_change_of_an_area_pair_by_pair() -> None:
    generator = np.random.default_rng(3)
    labels = generator.random(30) < 0.4
    before, after = (generator.integers(0, 9, 30) + labels * push for push in (1.0, 4.0))
    change, error = slow_change(before.tolist(), after.tolist(), labels.tolist())
    assert change == pytest.approx(float(roc_auc(after, labels) - roc_auc(before, labels)))
    reach = norm.ppf(0.975) * error
    assert tuple(auc_change_interval(before, after, labels)) == pytest.approx((change - reach, change + reach))


@pytest.mark.parametrize("push", [1.0, 1.6])
def test_the_interval_of_a_change_holds(push: float) -> None:
    generator = np.random.default_rng(4)
    labels = np.arange(300) % 2 == 0
    true = norm.cdf(push / math.sqrt(2)) - norm.cdf(1 / math.sqrt(2))
    held = 0
    for _ in range(1000):
        shared, own = generator.normal(size=300) * math.sqrt(0.8), generator.normal(size=(2, 300)) * math.sqrt(0.2)
        low, high = auc_change_interval(shared + own[0] + labels, shared + own[1] + push * labels, labels)
        held += low <= true <= high
    assert 0.93 <= held / 1000 <= 0.97


def test_a_change_of_one_class_is_not_said() -> None:
    assert all(map(math.isnan, auc_change_interval(np.arange(3.0), np.arange(3.0), np.array([True, False, False]))))
