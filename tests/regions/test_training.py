"""Training region classifiers on faces small enough for a test."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.progress import silent
from fairsal_core.regions import PatchGrid, RegionClassifier, RegionTraining, judge, train_region_classifier
from fairsal_core.regions.classifier import build_network
from fairsal_core.regions.fitting import _share_alike, _start_weights
from fairsal_core.regions.training import patch_logits
from fairsal_core.tensors import seed_everything, to_unit
from tests.helpers import faces_in_memory, noise_images
from tests.regions.conftest import CUE, TINY, Losses, planted_faces

SHORT = TINY.model_copy(update={"images": 8, "epochs": 1, "batch_size": 4, "validation_images": 4})


def test_the_loss_falls(trained: RegionClassifier, losses: Losses) -> None:
    assert len(losses.values) == 4
    assert losses.values[-1] < losses.values[0] - 0.01


def test_the_classifier_knows_what_it_was_trained_on(trained: RegionClassifier, planted: FaceDataset) -> None:
    prevalence = planted.in_split("train").labels("Cue").mean()
    assert trained.attribute == "Cue"
    assert trained.classes == ("not Cue", "Cue")
    assert trained.prior == pytest.approx((1 - prevalence, prevalence))
    assert trained.data == {"name": "memory", "train_faces": 48, "class_counts": [22, 26]}
    assert trained.training == {**TINY.model_dump(), "epochs_kept": 3}
    assert not trained.network.training


def test_it_learned_the_cue(trained: RegionClassifier) -> None:
    assert trained.metrics["best_position_accuracy"] > 0.9
    assert trained.metrics["patch_accuracy"] < 0.8  # most patches never see the square


def test_judging_against_one_face_at_a_time(trained: RegionClassifier, planted: FaceDataset) -> None:
    faces = planted.in_split("val")
    correct, votes = np.zeros((49, 49)), 0
    for image, label in zip(faces.images, faces.labels("Cue"), strict=True):
        logits = trained.logits(to_unit(torch.from_numpy(image[None].copy())))[0]
        correct += (logits[..., 1] > logits[..., 0]).numpy() == label
        mean = logits.log_softmax(dim=-1).reshape(-1, 2).mean(dim=0)
        votes += bool(mean[1] > mean[0]) == label
    metrics = judge(patch_logits(trained, faces), faces.classes("Cue")[0])
    assert metrics["faces"] == 16
    assert metrics["patch_accuracy"] == pytest.approx((correct / 16).mean(), abs=1e-3)
    assert metrics["best_position_accuracy"] == pytest.approx((correct / 16).max(), abs=1e-3)
    assert metrics["vote_accuracy"] == pytest.approx(votes / 16, abs=1e-3)
    rate = faces.labels("Cue").mean()
    assert metrics["majority"] == pytest.approx(max(rate, 1 - rate), abs=1e-3)
    assert metrics == trained.metrics


def test_calibration_covers_all_patches(trained: RegionClassifier, planted: FaceDataset) -> None:
    about = trained.calibration
    assert (about["kind"], about["faces"], about["patches"], about["temperature"]) == ("top-label", 16, 16 * 2401, 1)
    assert sum(about["before"]["count"]) == about["patches"]
    assert len(about["before"]["count"]) == 100
    assert about["before"]["ece"] == pytest.approx(trained.metrics["ece"], abs=1e-4)
    right = sum(about["before"]["correct"]) / about["patches"]
    assert right == pytest.approx(trained.metrics["patch_accuracy"], abs=1e-4)
    assert "after" not in about


def test_a_temperature_is_fitted_kept_and_applied(planted: FaceDataset, tmp_path: Path) -> None:
    settings = TINY.model_copy(update={"temperature_scaling": True})
    classifier = train_region_classifier(planted, "Cue", settings)
    about = classifier.calibration
    assert classifier.temperature != 1
    assert about["temperature"] == pytest.approx(classifier.temperature, abs=1e-3)
    assert about["after"]["ece"] == pytest.approx(classifier.metrics["ece"], abs=1e-4)
    image = torch.rand(1, 3, 128, 128)
    logits = classifier.logits(image)
    loaded = RegionClassifier.load(classifier.save(tmp_path / "cue"))
    torch.testing.assert_close(loaded.logits(image), logits, atol=1e-5, rtol=1e-5)
    assert loaded.calibration == about
    classifier.temperature = 1.0
    torch.testing.assert_close(classifier.logits(image) / about["temperature"], logits, atol=1e-3, rtol=1e-3)


def test_the_seed_fixes_the_weights(planted: FaceDataset) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        settings = SHORT.model_copy(update={"seed": seed})
        return train_region_classifier(planted, "Cue", settings).network.state_dict()

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["position"], other["position"])


@pytest.mark.parametrize("steps", [1, 2, 5])  # at 5, torch's one-cycle schedule once divided by zero
def test_any_number_of_steps(planted: FaceDataset, steps: int) -> None:
    settings = SHORT.model_copy(update={"images": 10, "batch_size": -(-10 // steps)})
    assert train_region_classifier(planted, "Cue", settings).data["train_faces"] == 10


def test_cancelling_stops_the_training(planted: FaceDataset) -> None:
    calls = []

    def progress(done: float, total: float, message: str = "") -> None:
        calls.append(done)
        raise CancelledError

    with pytest.raises(CancelledError):
        train_region_classifier(planted, "Cue", SHORT.model_copy(update={"epochs": 20}), progress=progress)
    assert calls == [10]


@pytest.mark.parametrize("attribute", ["Always", "Never"])
def test_an_attribute_that_is_the_same_on_all(planted: FaceDataset, attribute: str) -> None:
    with pytest.raises(FairsalError, match=f"'{attribute}' is the same on all 8 training faces"):
        train_region_classifier(planted, attribute, SHORT)


def test_an_unknown_attribute_or_network(planted: FaceDataset) -> None:
    with pytest.raises(FairsalError, match="did you mean 'Cue'"):
        train_region_classifier(planted, "Cues", SHORT)
    with pytest.raises(FairsalError, match="no region network 'dence'; did you mean 'dense'"):
        train_region_classifier(planted, "Cue", SHORT.model_copy(update={"network": "dence"}))


def test_an_unknown_schedule(planted: FaceDataset) -> None:
    with pytest.raises(FairsalError, match="no schedule 'step'; did you mean 'steps'"):
        train_region_classifier(planted, "Cue", SHORT.model_copy(update={"schedule": "step"}))


def test_more_than_two_classes(planted: FaceDataset) -> None:
    third = np.arange(len(planted)) % 4 == 3
    kinds = np.where(third, "far", np.where(planted.labels("Cue"), "red", "plain"))
    attributes = planted.attributes.assign(Kind=pd.Categorical(kinds, ["red", "plain", "far", "nobody"]))
    classifier = train_region_classifier(
        dataclasses.replace(planted, attributes=attributes), "Kind", SHORT.model_copy(update={"warm_up": 0.25})
    )
    assert classifier.classes == ("red", "plain", "far", "nobody")
    assert sum(classifier.prior) == pytest.approx(1)
    assert 0 < classifier.prior[3] < 0.1  # no face shows it, and yet its logarithm is finite
    assert classifier.logits(torch.rand(1, 3, 128, 128)).shape == (1, 49, 49, 4)


def test_a_loss_that_is_no_number(planted: FaceDataset) -> None:
    with pytest.raises(FairsalError, match="no longer a number; try a smaller learning rate"):
        train_region_classifier(planted, "Cue", SHORT.model_copy(update={"learning_rate": float("inf"), "epochs": 5}))


def test_images_of_another_size_are_refused() -> None:
    faces = faces_in_memory({"Cue": [True, False] * 4}, images=noise_images(8, size=64))
    with pytest.raises(FairsalError, match="not evenly spaced"):
        train_region_classifier(faces, "Cue", SHORT)


def test_only_the_train_split_is_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = planted_faces(20, validation=12)
    classifier = train_region_classifier(faces, "Cue", SHORT.model_copy(update={"images": 4000}))
    assert classifier.data["train_faces"] == 8
    assert classifier.metrics["faces"] == 4


def test_settings_refuse_what_cannot_be() -> None:
    for wrong in ({"epochs": 0}, {"images": 1}, {"precision": "fp8"}, {"typo": 1}, {"label_smoothing": 1}):
        with pytest.raises(ValueError, match="validation error"):
            RegionTraining.model_validate(wrong)


def test_positions_come_to_count_alike() -> None:
    shares = [_share_alike(done, 0.25) for done in (0.0, 0.25, 0.375, 0.5, 1.0)]
    assert shares == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert _share_alike(0.0, 0.0) == 1.0


def test_training_starts_where_the_label_can_be_read(planted: FaceDataset) -> None:
    faces = planted.in_split("train")
    pixels, labels = torch.from_numpy(faces.images.copy()), torch.from_numpy(faces.labels("Cue").copy())
    seed_everything(0)
    grid = PatchGrid()
    network = build_network("dense", 2, grid, {})
    warm = TINY.model_copy(update={"warm_up": 0.25})
    weights = _start_weights(network, grid, (pixels, labels[:, None].long()), warm, silent)[0]
    row, column = divmod(int(weights.argmax()), 49)
    assert weights.mean() == pytest.approx(1)
    assert 2 * column <= CUE.x and CUE.x + CUE.width <= 2 * column + 32
    assert 2 * row <= CUE.y and CUE.y + CUE.height <= 2 * row + 32
    assert weights.max() > 3
    assert (_start_weights(network, grid, (pixels, labels[:, None].long()), TINY, silent) == 1).all()


def test_where_nothing_can_be_read_all_positions_count_alike(planted: FaceDataset) -> None:
    faces = planted.in_split("train")
    pixels, labels = torch.from_numpy(faces.images.copy()), torch.from_numpy(faces.labels("Always").copy())
    network = build_network("dense", 2, PatchGrid(), {})
    warm = RegionTraining(warm_up=0.25)
    assert (_start_weights(network, PatchGrid(), (pixels, labels[:, None].long()), warm, silent) == 1).all()
