"""How well a region classifier knows its attribute: planted evidence, none at all, one class, and what is withheld."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

from fairsal_core.regions import Quality, judge, position_aucs, quality_of

SIDE = 7


def logits_of(labels: NDArray[np.int64], strength: float, classes: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """Noise at all positions but (2, 3), where the label's logit is higher."""
    logits = np.random.default_rng(seed).normal(size=(len(labels), SIDE, SIDE, classes)).astype(np.float32)
    logits[np.arange(len(labels)), 2, 3, labels] += strength
    return logits


def rare(count: int = 400, share: float = 0.1) -> NDArray[np.int64]:
    return (np.arange(count) < share * count).astype(np.int64)


def test_planted_evidence_is_found_where_it_is() -> None:
    labels = rare()
    logits = logits_of(labels, 3)
    areas = position_aucs(logits, labels)
    assert np.unravel_index(areas.argmax(), areas.shape) == (2, 3)
    scores = logits[:, 2, 3, 1] - logits[:, 2, 3, 0]
    assert areas[2, 3] == pytest.approx(roc_auc_score(labels, scores))
    found = quality_of(logits, labels)
    assert found.auc == pytest.approx(areas[2, 3], abs=0.01)  # each half by itself
    assert (found.faces, found.rarest) == (400, 40)
    assert not found.withheld("Cue")
    assert "with an AUC of 1.00 [0.97, 1.00]" in found.told("Cue")


def test_bits_are_the_labels_entropy_less_the_cross_entropy() -> None:
    labels = rare(share=0.4)
    logits = logits_of(labels, 2)
    chances = 1 / (1 + np.exp(logits[:, 2, 3, 0] - logits[:, 2, 3, 1].astype(float)))
    entropy = -(0.4 * math.log2(0.4) + 0.6 * math.log2(0.6))
    assert quality_of(logits, labels).bits == pytest.approx(entropy - log_loss(labels, chances) / math.log(2))


def test_the_best_of_many_positions_without_evidence_is_no_better_than_chance() -> None:
    """Chosen on the faces that judge it, the best position of noise has an area of 0.6 here."""
    labels = rare(share=0.5)
    found = [quality_of(logits_of(labels, 0, seed=seed), labels) for seed in range(40)]
    best = [float(position_aucs(logits_of(labels, 0, seed=seed), labels).max()) for seed in range(40)]
    assert np.mean(best) > 0.56
    assert abs(np.mean([one.auc for one in found]) - 0.5) < 0.02
    assert all("nothing is measured against it" in one.withheld("Cue") for one in found)


def test_more_than_two_classes() -> None:
    labels = np.arange(300) % 3
    logits = logits_of(labels, 4, classes=3)
    scores = np.exp(logits[:, 2, 3]) / np.exp(logits[:, 2, 3]).sum(axis=-1, keepdims=True)
    expected = roc_auc_score(labels, scores, multi_class="ovr")
    assert position_aucs(logits, labels)[2, 3] == pytest.approx(expected)
    assert not quality_of(logits, labels).withheld("Race")


@pytest.mark.parametrize("shown", [0, 1])
def test_one_class_is_named_and_not_judged(shown: int) -> None:
    """Such a classifier is right about 399 of 400 faces by saying the same of all."""
    labels = rare()
    labels[:] = 0
    labels[:shown] = 1
    logits = np.zeros((400, SIDE, SIDE, 2), dtype=np.float32)
    logits[..., 0] = 5
    assert judge(logits, labels)["patch_accuracy"] == pytest.approx(1 - shown / 400)
    assert judge(logits, labels)["auc"] is None
    found = quality_of(logits, labels)
    assert math.isnan(found.auc)
    assert "cannot be judged" in found.withheld("Cue")


def test_no_face_held_out() -> None:
    found = quality_of(np.zeros((0, SIDE, SIDE, 2), dtype=np.float32), np.zeros(0, dtype=np.int64))
    assert "no face is held out" in found.withheld("Cue")


def test_a_few_faces_are_too_few() -> None:
    labels = rare(8, 0.5)
    found = quality_of(logits_of(labels, 1), labels)
    assert found.interval.low < 0.5
    assert "or may be chance" in found.withheld("Cue")


def test_it_goes_through_json() -> None:
    for labels in (rare(), np.zeros(10, dtype=np.int64)):
        found = quality_of(logits_of(labels, 2), labels)
        again = Quality.from_json(found.as_json())
        assert again.as_json() == found.as_json()
        assert again.told("Cue") == found.told("Cue")
