"""What is said of region classifiers on any faces, against slow twins and scikit-learn."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import Atlas, best_position, judge_atlas, open_atlas, train_atlas
from fairsal_core.tensors import to_unit
from tests.regions.conftest import TINY, planted_faces


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    made = planted_faces(64)
    other = np.random.default_rng(7).random(64) < 0.3
    attributes = made.attributes.assign(Other=other)
    return dataclasses.replace(made, attributes=attributes)


@pytest.fixture(scope="module")
def atlas(faces: FaceDataset) -> Atlas:
    settings = TINY.model_copy(update={"imbalance": "prior", "temperature_scaling": True})
    return train_atlas(faces, ("Cue", "Other"), settings)


def logits_of(atlas: Atlas, faces: FaceDataset, attribute: str) -> np.ndarray:
    return atlas.of(attribute).logits(to_unit(torch.from_numpy(faces.images.copy()))).numpy()


@pytest.mark.parametrize("attribute", ["Cue", "Other"])
def test_against_outside_oracles(atlas: Atlas, faces: FaceDataset, attribute: str) -> None:
    chosen_on, judged = faces.in_split("val"), faces.in_split("train")
    found = judge_atlas(atlas, chosen_on, judged)[attribute]
    labels = judged.labels(attribute)
    before = logits_of(atlas, chosen_on, attribute)
    areas = [
        roc_auc_score(chosen_on.labels(attribute), before[:, row, column, 1] - before[:, row, column, 0])
        for row in range(49)
        for column in range(49)
    ]
    row, column = found["position"]
    assert areas[49 * row + column] == pytest.approx(max(areas))
    logits = logits_of(atlas, judged, attribute)
    there = logits[:, row, column].astype(np.float64)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, there[:, 1] - there[:, 0]), abs=1e-3)
    assert found["auc_low"] <= found["auc"] <= found["auc_high"]
    prior = np.array(atlas.heads[atlas.attributes.index(attribute)].prior)
    said = (there - np.log(prior)).argmax(axis=1)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, said), abs=1e-3)
    rates = np.array([1 - labels.mean(), labels.mean()])
    likely = log_softmax(there + np.log(rates / prior), axis=1)[np.arange(len(labels)), labels.astype(int)]
    entropy = -(rates * np.log2(rates)).sum()
    assert found["bits"] == pytest.approx(entropy + likely.mean() / np.log(2), abs=1e-3)
    assert (found["faces"], found["rarest"]) == (48, int(min(labels.sum(), (~labels).sum())))
    assert found["base_rate"] == pytest.approx(labels.mean(), abs=1e-4)


def test_calibration_over_all_patches_at_both_base_rates(atlas: Atlas, faces: FaceDataset) -> None:
    judged = faces.in_split("val")
    found = judge_atlas(atlas, faces.in_split("train"), judged)["Other"]
    logits = logits_of(atlas, judged, "Other").reshape(16, -1, 2)
    labels = judged.labels("Other")
    prior, rate = np.array(atlas.heads[1].prior), labels.mean()
    for name, shift in (("ece", 0.0), ("ece_at_base_rate", np.log(np.array([1 - rate, rate]) / prior))):
        chances = np.exp(log_softmax(logits + shift, axis=-1))
        sure, right = chances.max(axis=-1), (chances.argmax(axis=-1) == labels[:, None])
        bins = np.minimum((sure * 100).astype(int), 99)
        error = sum(abs(right[bins == each].sum() - sure[bins == each].sum()) for each in range(100)) / sure.size
        assert found[name] == pytest.approx(error, abs=1e-3)


def test_in_parts_it_is_the_same(atlas: Atlas, faces: FaceDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge_atlas(atlas, faces.in_split("val"), faces.in_split("train"))
    monkeypatch.setattr("fairsal_core.regions.training._LOGITS_AT_ONCE", 1)  # a head at a time
    parts = judge_atlas(atlas, faces.in_split("val"), faces.in_split("train"))
    assert set(parts) == set(whole)
    for attribute, numbers in whole.items():
        assert parts[attribute]["auc"] == pytest.approx(numbers["auc"], abs=0.02)
        assert parts[attribute]["ece"] == pytest.approx(numbers["ece"], abs=1e-3)


def test_what_is_not_annotated_is_left_out(atlas: Atlas, faces: FaceDataset) -> None:
    less = dataclasses.replace(faces, attributes=faces.attributes.drop(columns="Other"))
    assert set(judge_atlas(atlas, less.in_split("val"), less.in_split("train"))) == {"Cue"}
    nothing = dataclasses.replace(faces, attributes=faces.attributes[["Always"]])
    with pytest.raises(FairsalError, match="Cue, Other cannot be judged here: both splits have to show two classes"):
        judge_atlas(atlas, nothing.in_split("val"), nothing.in_split("train"))


def test_a_region_classifier_is_an_atlas_of_one(atlas: Atlas, faces: FaceDataset, tmp_path: object) -> None:
    one = open_atlas(atlas.of("Cue").save(f"{tmp_path}/cue"))
    assert one.attributes == ("Cue",)
    alone = judge_atlas(one, faces.in_split("val"), faces.in_split("train"))["Cue"]
    together = judge_atlas(atlas, faces.in_split("val"), faces.in_split("train"))["Cue"]
    assert alone["ece"] == pytest.approx(together["ece"], abs=1e-3)
    assert alone["bits"] == pytest.approx(together["bits"], abs=0.02)


def test_the_best_position() -> None:
    labels = np.array([0, 1, 0, 1])
    logits = np.zeros((4, 3, 3, 2), dtype=np.float32)
    logits[:, 2, 1, 1] = labels
    assert best_position(logits, labels) == (2, 1)
