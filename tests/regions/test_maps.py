"""From faces to maps: the planted square has to light up where it is, and not at its mirror place."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import FaceDataset, Roi
from fairsal_core.regions import (
    RegionClassifier,
    bundled_attributes,
    bundled_classifier,
    confidence,
    maps,
    mean_colour,
    mean_map,
    pixel_maps,
    region_maps,
)
from fairsal_core.tensors import to_unit
from tests.regions.conftest import CUE


def area(truth: Roi, pixels: np.ndarray) -> float:
    return float(roc_auc_score(truth.mask(pixels.shape[-2:]).ravel(), pixels.ravel()))


def test_the_mean_map_finds_the_cue(trained: RegionClassifier, planted: FaceDataset) -> None:
    positions = region_maps(trained, planted.images)
    assert positions.shape == (64, 49, 49)
    assert positions.dtype == np.float16
    pixels = pixel_maps(mean_map(positions), trained)
    assert pixels.shape == (128, 128)
    mirrored = Roi(x=CUE.y, y=CUE.x, width=CUE.height, height=CUE.width)
    assert area(CUE, pixels) > 0.8
    assert area(mirrored, pixels) < 0.7
    # On average over the patches that can see it, and those that cannot.
    sees = np.zeros((49, 49), dtype=bool)
    sees[max(0, (CUE.y - 16) // 2) : CUE.y // 2, (CUE.x - 16) // 2 : CUE.x // 2] = True
    assert mean_map(positions)[sees].mean() > 3 * mean_map(positions)[~sees].mean()


def test_single_faces_find_it_too(trained: RegionClassifier, planted: FaceDataset) -> None:
    pixels = pixel_maps(region_maps(trained, planted.images[:10]), trained)
    assert pixels.shape == (10, 128, 128)
    assert (pixels.min(axis=(1, 2)) == 0).all()
    assert (pixels.max(axis=(1, 2)) == 1).all()
    assert np.median([area(CUE, one) for one in pixels]) > 0.8


@pytest.mark.parametrize("measure", ["negative_entropy", "information_gain"])
def test_maps_equal_one_face_at_a_time(
    trained: RegionClassifier, planted: FaceDataset, measure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "_BATCH", 3)
    fast = region_maps(trained, planted.images[:7], measure)
    for image, positions in zip(planted.images[:7], fast, strict=True):
        logits = trained.logits(to_unit(torch.from_numpy(image[None].copy())))
        alone = confidence(logits, measure, trained.prior)[0].numpy()
        np.testing.assert_allclose(positions, alone, atol=1e-3)


def test_progress_and_cancelling(trained: RegionClassifier, planted: FaceDataset) -> None:
    seen: list[tuple[float, float]] = []
    region_maps(
        trained,
        np.tile(planted.images[:1], (70, 1, 1, 1)),
        progress=lambda done, total, message="": seen.append((done, total)),
    )
    assert seen == [(64, 70), (70, 70)]

    def cancel(done: float, total: float, message: str = "") -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        region_maps(trained, planted.images[:1], progress=cancel)


def test_the_mean_of_half_precision_maps_does_not_drift() -> None:
    many = np.full((5000, 3, 3), 0.1, dtype=np.float16)
    np.testing.assert_allclose(mean_map(many), float(np.float16(0.1)), rtol=1e-6)


def test_the_mean_colour() -> None:
    images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    images[0, ..., 0], images[..., 1], images[:, :2, :, 2] = 255, 51, 102
    assert mean_colour(images) == pytest.approx((0.5, 0.2, 0.2))


def test_an_unknown_bundled_classifier() -> None:
    with pytest.raises(FairsalError, match="no bundled region classifier for attribute 'Tail'"):
        bundled_classifier("Tail")


@pytest.mark.parametrize("attribute", bundled_attributes())
def test_bundled_classifiers_load_and_are_of_use(attribute: str) -> None:
    classifier = bundled_classifier(attribute)
    assert classifier.attribute == attribute
    assert classifier.metrics["best_position_accuracy"] > classifier.metrics["majority"]
