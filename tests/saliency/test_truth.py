"""Sanity of the maps: they find what is known to matter, and change when the classifier does."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fairsal_core.classifiers import ClassifierTraining, TrainingTask, predict_scores, train_classifier
from fairsal_core.drawing import draw_face
from fairsal_core.faces import FaceDataset, part_roi
from fairsal_core.faces.packing import IMAGE_SIZE
from fairsal_core.metrics import magnitude, rank_correlation, rrf, summarise
from fairsal_core.saliency import IntegratedGradientsSettings, explain

METHODS = ("lrp", "integrated_gradients", "gradient")


@pytest.fixture(scope="module")
def held_out(drawn: FaceDataset) -> FaceDataset:
    """The drawn faces with a hat that no training sees."""
    faces = drawn.take(np.flatnonzero((drawn.split != "train").to_numpy()))
    return faces.take(np.flatnonzero(faces.labels("Wearing_Hat")))


@pytest.fixture(scope="module")
def hat_classifier() -> nn.Module:
    """`three_conv`, trained to predict Wearing_Hat on 48 faces, each drawn with and without: quicker than many faces."""
    size = (IMAGE_SIZE, IMAGE_SIZE)
    faces = [draw_face(0, index, {"Wearing_Hat": hat}).image for index in range(1, 49) for hat in (True, False)]
    images = np.stack([np.asarray(face.resize(size, Image.Resampling.BILINEAR)) for face in faces])
    settings = ClassifierTraining(epochs=6, batch_size=8, learning_rate=1e-3, learning_rate_decay=0.8, precision="fp32")
    return train_classifier(TrainingTask(images, np.tile([True, False], 48), 0), settings, torch.device("cpu"))


def test_relevance_lies_in_the_hat(
    hat_classifier: nn.Module, held_out: FaceDataset, record_property: Callable[[str, object], None]
) -> None:
    """A classifier of hats looks at hats: its relevance there is at least twice the hat's share of the image."""
    assert (predict_scores(hat_classifier, held_out.images) > 0.5).mean() > 0.8
    hats = part_roi(held_out, "Wearing_Hat")
    share = hats.pixels.mean(axis=(1, 2))
    found = rrf(magnitude(explain(hat_classifier, held_out.images, 1, "lrp").relevance), hats)
    summary = summarise(found / share)
    record_property("rrf_over_share", summary.mean)
    assert summary.n == len(held_out) > 5
    assert summary.interval.low >= 2, summary


@pytest.mark.parametrize("method", METHODS)
def test_random_weights_give_other_maps(
    method: str, hat_classifier: nn.Module, held_out: FaceDataset, record_property: Callable[[str, object], None]
) -> None:
    """Adebayo et al. (2018): a map that survives the loss of all that was learned shows the image, not the classifier."""
    torch.manual_seed(1)
    random = copy.deepcopy(hat_classifier)
    for module in random.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    images = held_out.images[:6]
    settings = IntegratedGradientsSettings(steps=10) if method == "integrated_gradients" else None
    learned, lost = (
        magnitude(explain(network, images, 1, method, settings).relevance) for network in (hat_classifier, random)
    )
    correlation = rank_correlation(learned, lost)
    record_property("rank_correlation", float(correlation.mean()))
    np.testing.assert_allclose(rank_correlation(learned, learned), 1)
    assert np.abs(correlation).max() < 0.8, correlation
