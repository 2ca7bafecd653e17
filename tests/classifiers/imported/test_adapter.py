"""From a frame to two logits, against torchvision's transforms and plain formulas."""

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.classifiers.imported.adapter import Adapter, prepare, two_logits
from fairsal_core.classifiers.imported.manifest import Manifest, Outputs, Preprocessing, as_manifest, with_settings
from fairsal_core.classifiers.imported.source import ordinary_pixels, to_frames
from fairsal_core.errors import FairsalError
from fairsal_core.saliency import explain
from tests.helpers import noise_images

FRAMES = to_frames(noise_images(3))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"resize": 96},
        {"resize": "72", "crop": "64", "interpolation": "bicubic", "mean": "0.5,0.4,0.3", "std": "0.2"},
        {"resize": (90, 70), "crop": (61, 50)},
        {"crop": 100, "channels": "BGR", "scale": 255, "mean": "104,117,123"},
        {"resize": 40, "interpolation": "nearest"},
        {"channels": "grey", "mean": 0.5, "std": 0.5, "resize": 160},
    ],
)
def test_the_network_gets_what_torchvision_would_give_it(settings: dict) -> None:
    chosen = Preprocessing.model_validate(settings)
    pixels = prepare(FRAMES, chosen)
    assert tuple(pixels.shape) == (3, chosen.depth, *chosen.size)
    torch.testing.assert_close(pixels, ordinary_pixels(FRAMES, chosen, rounded=False), atol=1e-5 * chosen.scale, rtol=0)


def test_pixels_get_a_gradient() -> None:
    frames = FRAMES.clone().requires_grad_()
    prepare(frames, Preprocessing(resize=(64, 64), crop=(50, 50), channels="BGR")).sum().backward()
    assert frames.grad is not None and frames.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("meaning", "outputs", "score"),
    [
        ({"reads": "sigmoid", "count": 1, "positive": 0}, [[0.7]], torch.tensor(0.7).sigmoid()),
        ({"reads": "sigmoid", "count": 1, "positive": 0, "reverse": True}, [[0.7]], torch.tensor(-0.7).sigmoid()),
        ({"reads": "sigmoid", "count": 1, "positive": 0, "probabilities": True}, [[0.9]], torch.tensor(0.9)),
        ({"reads": "sigmoid", "count": 3, "positive": 2}, [[5.0, 5.0, -1.0]], torch.tensor(-1.0).sigmoid()),
        ({"count": 2, "positive": 0}, [[2.0, 0.5]], torch.tensor([2.0, 0.5]).softmax(0)[0]),
        ({"count": 4, "positive": 2}, [[1.0, 2.0, 3.0, 0.0]], torch.tensor([1.0, 2.0, 3.0, 0.0]).softmax(0)[2]),
        (
            {"count": 4, "positive": "1,2"},
            [[1.0, 2.0, 3.0, 0.0]],
            torch.tensor([1.0, 2.0, 3.0, 0.0]).softmax(0)[1:3].sum(),
        ),
        ({"count": 4, "positive": 1, "among": "1,3"}, [[9.0, 2.0, 9.0, 0.0]], torch.tensor([2.0, 0.0]).softmax(0)[0]),
        ({"count": 2, "probabilities": True}, [[0.2, 0.8]], torch.tensor(0.8)),
        (
            {"reads": "threshold", "count": 1, "positive": 0, "threshold": 40, "unit": 10},
            [[45.0]],
            torch.tensor(0.5).sigmoid(),
        ),
    ],
)
def test_two_logits_say_what_the_outputs_mean(meaning: dict, outputs: list, score: torch.Tensor) -> None:
    logits = two_logits(torch.tensor(outputs), Outputs.model_validate(meaning))
    assert tuple(logits.shape) == (1, 2)
    torch.testing.assert_close(logits.softmax(dim=1)[0, 1], score)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"mean": "0.5,0.5"}, "2 numbers for 3 channels"),
        ({"std": 0}, "std is 0"),
        ({"resize": 64, "crop": 80}, "not inside"),
        ({"channels": "RBG"}, "channels"),
        ({"positive": 2}, "numbered from 0 to 1"),
        ({"labels": "a,b,c"}, "3 labels"),
        ({"reads": "sigmoid", "positive": "0,1"}, "reads one output"),
        ({"resize": 5000}, "1024"),
    ],
)
def test_a_manifest_that_does_not_fit_is_one_sentence(settings: dict, problem: str) -> None:
    with pytest.raises(FairsalError, match=problem):
        as_manifest(with_settings({"format": "torchvision", "weights": "a.safetensors"}, settings))


def test_an_unknown_setting_is_named_with_the_nearest() -> None:
    with pytest.raises(FairsalError, match="did you mean 'resize'"):
        with_settings({}, {"preprocessing.resise": 3})


def test_a_digest_is_of_what_is_computed_and_not_of_names() -> None:
    one = Manifest(format="torchvision", weights="a.safetensors", name="one")
    other = one.model_copy(update={"name": "other", "assumed": ("something",), "source": "elsewhere"})
    assert one.digest == other.digest
    assert one.digest != one.model_copy(update={"preprocessing": Preprocessing(channels="BGR")}).digest
    assert one.digest != one.model_copy(update={"outputs": Outputs(positive=(0,))}).digest


def test_a_threshold_of_its_own_decides_and_leaves_the_logits() -> None:
    from fairsal_core.classifiers import decisions, has_thresholds, predict_scores

    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2))
    plain = Adapter(network, Manifest(format="torchvision", weights="a"))
    strict = Adapter(network, Manifest(format="torchvision", weights="a", outputs=Outputs(decides=0.9)))
    scores = predict_scores(strict, noise_images(4))
    assert (scores == predict_scores(plain, noise_images(4))).all()
    assert has_thresholds(strict) and not has_thresholds(plain)
    assert decisions(strict, scores).tolist() == [float(score > 0.9) for score in scores]


@pytest.mark.parametrize("said", [{}, {"reverse": True}], ids=["as it is", "reversed"])
def test_one_output_is_explained_for_either_label(said: dict[str, bool]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 31 * 31, 1))
    wanted = {"reads": "sigmoid", "count": 1, "positive": 0, **said}
    manifest = as_manifest(with_settings({"format": "torchvision", "weights": "a"}, wanted))
    classifier = Adapter(network, manifest).eval()
    found = explain(classifier, FRAMES, [1, 0, 1], "lrp_graph")
    against = explain(classifier, FRAMES, [0, 1, 0], "lrp_graph")
    assert np.abs(found.relevance).max(axis=(1, 2)).min() > 0
    np.testing.assert_array_equal(found.relevance, -against.relevance)
    assert classifier.fixed_label == 0
    assert Adapter(network, as_manifest({"format": "torchvision", "weights": "a"})).fixed_label is None
