"""Every method with its default settings on the residual networks: it runs through, and what it gives is a classifier."""

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.classifiers import build_classifier, decisions, predict_scores
from fairsal_core.mitigation import METHODS, LabelledFaces
from fairsal_core.mitigation.search import judge_classifier
from tests.helpers import noise_images
from tests.mitigation.test_layers import hooks

SIZE, COUNT = 64, 8


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {name: build_classifier(name).eval() for name in ("resnet18", "resnet50")}


# What fifty layers have that eighteen lack is their blocks' make; tuning all of them takes four times as long.
CASES = [*(("resnet18", method) for method in METHODS), ("resnet50", "threshold"), ("resnet50", "p_clarc")]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_the_defaults_run_through(
    name: str, method: str, networks: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An untrained network may well decide the same for a few faces of noise; that is refused elsewhere.
    monkeypatch.setattr("fairsal_core.mitigation.search.judge_candidate", judge_classifier)
    network, confounder = networks[name], np.array([True, True, False, False] * 2)
    images = noise_images(COUNT, size=SIZE)
    images[confounder, :, SIZE // 2 :, 0] |= 128
    faces = LabelledFaces(images, np.array([True, False] * 4), confounder)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    result = METHODS.find(method).apply(network, faces, faces, METHODS[method].settings(), seed=0)
    scores = predict_scores(result.classifier, images)
    assert np.isfinite(scores).all()
    assert np.isfinite(decisions(result.classifier, scores, confounder)).all()
    assert sum(trial.chosen for trial in result.trace) == 1
    assert all(np.isfinite(trial.accuracy) for trial in result.trace)
    assert hooks(network) == hooks(result.classifier) == 0
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
