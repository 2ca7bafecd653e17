"""Gradient, SmoothGrad, Integrated Gradients and occlusion against what they should give by hand."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from fairsal_core.errors import FairsalError
from fairsal_core.saliency import IntegratedGradientsSettings, OcclusionSettings, SmoothGradSettings, explain
from fairsal_core.saliency.integrated_gradients import baseline
from fairsal_core.saliency.occlusion import evaluations
from tests.saliency.networks import images, looks_at, small_network

SQUARE = (slice(4, 9), slice(18, 28))  # rows, columns: off the diagonal


def test_the_gradient_is_autograds() -> None:
    network, batch = small_network(), images(2, 32)
    for target in (0, 1):
        explanation = explain(network, batch, target, "gradient")
        for face, relevance in zip(batch, explanation.relevance, strict=True):
            pixels = face[None].clone().requires_grad_()
            network(pixels)[0, target].backward()
            assert pixels.grad is not None
            np.testing.assert_allclose(relevance, pixels.grad[0].sum(dim=0), rtol=1e-4, atol=1e-6)


def test_the_gradient_is_the_change_of_the_logit() -> None:
    network, batch = small_network().double(), images(1, 32).double()
    relevance = explain(network, batch, 1, "gradient").relevance[0]
    with torch.no_grad():
        for y, x in ((3, 17), (20, 5)):
            more, less = batch.clone(), batch.clone()
            more[:, :, y, x] += 1e-5
            less[:, :, y, x] -= 1e-5
            change = (network(more) - network(less))[0, 1] / 2e-5
            assert relevance[y, x] == pytest.approx(float(change), rel=1e-3, abs=1e-5)


def test_smoothgrad_is_the_mean_gradient_under_noise() -> None:
    network, batch = small_network(), images(2, 32)
    settings = SmoothGradSettings(samples=4, noise=0.1, seed=5)
    noise = 0.1 * torch.randn((4, 3, 32, 32), generator=torch.Generator().manual_seed(5))
    mean = torch.zeros(2, 32, 32)
    for pattern in noise:
        pixels = (batch + pattern).requires_grad_()
        network(pixels)[:, 1].sum().backward()
        assert pixels.grad is not None
        mean += pixels.grad.sum(dim=1) / 4
    relevance = explain(network, batch, 1, "smoothgrad", settings).relevance
    np.testing.assert_allclose(relevance, mean, rtol=1e-4, atol=1e-6)
    other = explain(network, batch, 1, "smoothgrad", settings.model_copy(update={"seed": 6})).relevance
    assert not np.allclose(relevance, other, atol=1e-6)


def test_integrated_gradients_of_a_linear_network() -> None:
    """Weight times distance from the baseline, exactly, whatever the steps."""
    batch = images(2, 32)
    settings = IntegratedGradientsSettings(steps=2, colour=(0.2, 0.3, 0.4))
    explanation = explain(looks_at(SQUARE), batch, 1, "integrated_gradients", settings)
    expected = np.zeros((2, 32, 32), dtype=np.float32)
    expected[:, *SQUARE] = (batch.sum(dim=1) - 0.9).numpy()[:, *SQUARE]
    np.testing.assert_allclose(explanation.relevance, expected, atol=1e-5)
    np.testing.assert_allclose(explanation.diagnostics["completeness_delta"], 0, atol=1e-4)


@pytest.mark.parametrize("name", ["mean_colour", "black", "blur"])
def test_the_completeness_delta_shrinks_with_the_steps(name: str) -> None:
    network, batch = small_network(), images(4, 32)
    deltas, explanations = [], []
    for steps in (4, 32, 256):
        settings = IntegratedGradientsSettings(steps=steps, baseline=name)
        explanations.append(explain(network, batch, 1, "integrated_gradients", settings))
        deltas.append(float(np.abs(explanations[-1].diagnostics["completeness_delta"]).mean()))
    assert deltas[0] > 2 * deltas[1] > 4 * deltas[2]
    with torch.no_grad():
        rise = (network(batch) - network(baseline(batch, settings)))[:, 1].numpy()
    total = explanations[0].relevance.sum(axis=(1, 2))
    np.testing.assert_allclose(total - rise, explanations[0].diagnostics["completeness_delta"], atol=1e-4)


def test_the_blurred_baseline() -> None:
    scipy_ndimage = pytest.importorskip("scipy.ndimage")
    batch = images(2, 32)
    settings = IntegratedGradientsSettings(baseline="blur", blur_sigma=3)
    expected = scipy_ndimage.gaussian_filter(batch.numpy(), (0, 0, 3, 3), mode="nearest", truncate=3)
    np.testing.assert_allclose(baseline(batch, settings), expected, atol=1e-5)


def test_occlusion_finds_the_only_square_that_matters() -> None:
    batch = images(2, 32)
    settings = OcclusionSettings(window=1, stride=1, colour=(0, 0, 0))
    relevance = explain(looks_at(SQUARE), batch, 1, "occlusion", settings).relevance
    expected = np.zeros((2, 32, 32), dtype=np.float32)
    expected[:, *SQUARE] = batch.sum(dim=1).numpy()[:, *SQUARE]
    np.testing.assert_allclose(relevance, expected, atol=2e-4)


@pytest.mark.parametrize(("window", "stride"), [(8, 4), (7, 5), (32, 32)])
def test_occlusion_window_by_window(window: int, stride: int) -> None:
    network, batch = small_network(), images(1, 32)
    falls, covered, count = np.zeros((32, 32)), np.zeros((32, 32)), 0
    starts = [min(start, 31) for start in range(0, 32 - window + stride, stride)]
    with torch.no_grad():
        logit = network(batch)[0, 1]
        for y in starts:
            for x in starts:
                painted = batch.clone()
                painted[:, :, y : y + window, x : x + window] = 0.5
                falls[y : y + window, x : x + window] += float(logit - network(painted)[0, 1])
                covered[y : y + window, x : x + window] += 1
                count += 1
    settings = OcclusionSettings(window=window, stride=stride, colour=(0.5, 0.5, 0.5))
    assert evaluations(settings, (32, 32)) == count
    relevance = explain(network, batch, 1, "occlusion", settings).relevance[0]
    np.testing.assert_allclose(relevance, falls / covered, atol=1e-5)


def test_a_window_that_does_not_fit() -> None:
    with pytest.raises(FairsalError, match="use at most 32"):
        explain(small_network(), images(1, 32), 1, "occlusion", OcclusionSettings(window=64))
    with pytest.raises(ValidationError, match="leaves pixels out"):
        OcclusionSettings(window=4, stride=5)
