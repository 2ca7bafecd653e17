"""The one call: input kinds, batches, threads, cancel, and a classifier that stays as it was."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.saliency import EXPLAINERS, ExplainerSettings, Explanation, GradientSettings, LrpSettings, explain
from fairsal_core.tensors import to_unit
from tests.helpers import noise_images
from tests.saliency.networks import images, small_network, three_conv

FEW: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": 8},
    "smoothgrad": {"samples": 5},
    "occlusion": {"window": 8, "stride": 8},
}

ROUNDING = 5e-5  # of the peak: LRP by the graph differs by 1.6e-5 on one AMD


def few(method: str) -> ExplainerSettings:
    """Settings with few passes through the network."""
    return EXPLAINERS.find(method).settings(**FEW.get(method, {}))


def fingerprint(network: nn.Module) -> list[object]:
    """Everything that an explainer may change in a classifier: weights, types, modes and hooks of all modules."""
    state: list[object] = [value.numpy().tobytes() for value in network.state_dict().values()]
    state += [parameter.requires_grad for parameter in network.parameters()]
    state += [parameter.grad for parameter in network.parameters()]
    for name, module in network.named_modules():
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
        state.append((name, type(module), module.training, sorted(vars(module)), [len(held) for held in hooks]))
    return state


@pytest.mark.parametrize("method", EXPLAINERS)
def test_shapes_and_the_classifier_is_untouched(method: str) -> None:
    network, batch = small_network(), images(3, 32)
    network.train()  # explained in eval mode, left in train mode
    before = fingerprint(network)
    explanation = explain(network, batch, 1, method, few(method))
    assert explanation.relevance.shape == (3, 32, 32)
    assert explanation.relevance.dtype == np.float32
    assert np.isfinite(explanation.relevance).all()
    assert explanation.relevance.std() > 0
    assert explanation.seconds > 0
    assert (explanation.method, explanation.targets.tolist()) == (method, [1, 1, 1])
    assert all(values.shape == (3,) for values in explanation.diagnostics.values())
    assert fingerprint(network) == before
    network.eval()
    np.testing.assert_array_equal(explanation.relevance, explain(network, batch, 1, method, few(method)).relevance)


@pytest.mark.parametrize("method", EXPLAINERS)
def test_batches_change_rounding_only(method: str) -> None:
    network, batch = small_network(), images(5, 32)
    whole = explain(network, batch, 1, method, few(method))
    scale = np.abs(whole.relevance).max()
    for size in (1, 2, 40):
        parts = explain(network, batch, 1, method, few(method), batch_size=size)
        np.testing.assert_allclose(parts.relevance, whole.relevance, atol=ROUNDING * scale)
        for name, values in whole.diagnostics.items():
            np.testing.assert_allclose(parts.diagnostics[name], values, atol=1e-4)


@pytest.mark.parametrize("method", EXPLAINERS)
def test_each_image_its_own_target(method: str) -> None:
    network, batch = small_network(), images(3, 32)
    mixed = explain(network, batch, [1, 0, 1], method, few(method)).relevance
    for row, target in enumerate([1, 0, 1]):
        alone = explain(network, batch[row : row + 1], target, method, few(method)).relevance[0]
        np.testing.assert_allclose(mixed[row], alone, atol=ROUNDING * np.abs(mixed).max())


class OneOutput(nn.Module):
    """A network with one output z as two logits: (0, z), or as its twin both of which move, (-z, z)."""

    def __init__(self, fixed: bool) -> None:
        super().__init__()
        self.network = small_network()
        self.fixed_label = 0 if fixed else None

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        z = self.network(batch)[:, 1]
        return torch.stack([torch.zeros_like(z) if self.fixed_label == 0 else -z, z], dim=1)


@pytest.mark.parametrize("method", [name for name in EXPLAINERS if name != "lrp"])  # zennit knows no sign
def test_a_logit_that_never_moves_is_explained_by_the_other(method: str) -> None:
    batch, labels = images(3, 32), [0, 1, 0]
    fixed, twin = (explain(OneOutput(held), batch, labels, method, few(method)) for held in (True, False))
    np.testing.assert_allclose(fixed.relevance, twin.relevance, atol=1e-5 * np.abs(twin.relevance).max())
    assert np.abs(fixed.relevance).max(axis=(1, 2)).min() > 0
    assert fixed.targets.tolist() == labels
    for name, values in fixed.diagnostics.items():
        np.testing.assert_allclose(np.abs(values), np.abs(twin.diagnostics[name]), atol=1e-4)


@pytest.mark.parametrize("method", ["lrp", "lrp_graph", "integrated_gradients", "smoothgrad"])
def test_three_threads_on_one_classifier(method: str) -> None:
    network, batch = small_network(), images(6, 32)
    alone = explain(network, batch, 1, method, few(method))
    before = fingerprint(network)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(explain, network, batch, 1, method, few(method)) for _ in range(9)]
        together = [job.result() for job in jobs]
    # While another thread exports a network, torch sums in another order: rounding, nothing else.
    rounding = 1e-5 * np.abs(alone.relevance).max() if method == "lrp_graph" else 0
    for explanation in together:
        np.testing.assert_allclose(explanation.relevance, alone.relevance, rtol=0, atol=rounding)
    assert fingerprint(network) == before


def test_three_threads_with_different_rules_on_three_conv() -> None:
    network, batch = three_conv(), images(2, 128)
    choices = [LrpSettings(composite=name) for name in ("epsilon_plus", "epsilon_plus_flat")] + [
        LrpSettings(epsilon=0.1)
    ]

    def one(settings: LrpSettings) -> Explanation:
        return explain(network, batch, 1, "lrp", settings)

    alone, before = [one(settings).relevance for settings in choices], fingerprint(network)
    with ThreadPoolExecutor(3) as pool:
        together = [explanation.relevance for explanation in pool.map(one, choices * 2)]
    for expected, got in zip(alone * 2, together, strict=True):
        np.testing.assert_array_equal(expected, got)
    assert fingerprint(network) == before


@pytest.mark.parametrize("method", EXPLAINERS)
def test_a_context_without_gradients_does_not_matter(method: str) -> None:
    network, batch = small_network(), images(2, 32)
    expected = explain(network, batch, 1, method, few(method)).relevance
    for context in (torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16)):
        with context:
            np.testing.assert_array_equal(explain(network, batch.clone(), 1, method, few(method)).relevance, expected)


def test_bytes_arrays_and_tensors_are_the_same_images() -> None:
    network, faces = small_network(), noise_images(3, size=32)
    unit = to_unit(torch.from_numpy(faces))
    expected = explain(network, unit).relevance
    for same in (faces, torch.from_numpy(faces), unit.numpy(), unit.double()):
        np.testing.assert_allclose(explain(network, same).relevance, expected, rtol=1e-4, atol=1e-6)


def test_no_images() -> None:
    explanation = explain(small_network(), images(0, 32))
    assert (explanation.relevance.shape, explanation.diagnostics) == ((0, 32, 32), {})


def test_images_need_not_be_square() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    batch = torch.rand(2, 3, 24, 40)
    for method in EXPLAINERS:
        assert explain(network, batch, 0, method, few(method)).relevance.shape == (2, 24, 40)


@pytest.mark.parametrize("method", EXPLAINERS)
def test_progress_and_cancel(method: str) -> None:
    network, batch = small_network(), images(5, 32)
    seen: list[tuple[float, float]] = []
    explain(
        network, batch, 1, method, few(method), lambda done, total, message="": seen.append((done, total)), batch_size=2
    )
    assert seen[-1] == (5, 5)
    assert len(seen) >= 3

    def stop(done: float, total: float, message: str = "") -> None:
        raise CancelledError

    before = fingerprint(network)
    with pytest.raises(CancelledError):
        explain(network, batch, 1, method, few(method), stop, batch_size=2)
    assert fingerprint(network) == before


def test_every_explainer_describes_itself() -> None:
    for name, explainer in EXPLAINERS.items():
        assert explainer.name == name
        assert "20" in explainer.description  # the year of its source
        for field in explainer.settings.model_fields.values():
            assert field.description
        assert explainer.evaluations(explainer.settings(), (128, 128)) >= 1


def test_errors() -> None:
    network, batch = small_network(), images(2, 32)
    with pytest.raises(FairsalError, match="did you mean 'lrp'"):
        explain(network, batch, 1, "lpr")
    with pytest.raises(FairsalError, match="lrp takes LrpSettings, not GradientSettings"):
        explain(network, batch, 1, "lrp", GradientSettings())
    with pytest.raises(FairsalError, match=r"\(N, 3, H, W\) in \[0, 1\] .* got torch.int64"):
        explain(network, batch.long())
    with pytest.raises(FairsalError, match=r"\(N, H, W, 3\), got \(2, 3, 32, 32\)"):
        explain(network, (batch * 255).byte())
    with pytest.raises(FairsalError, match="before any normalisation"):
        explain(network, batch * 255)
    with pytest.raises(FairsalError, match="labels 0 to 1; there is no label 2"):
        explain(network, batch, 2)
    with pytest.raises(FairsalError, match="labels 0 to 1; there is no label -1"):
        explain(network, batch, [0, -1])
    with pytest.raises(FairsalError, match="each of the 2 images"):
        explain(network, batch, [0, 1, 1])
    with pytest.raises(FairsalError, match="number of a label"):
        explain(network, batch, 0.5)  # type: ignore[arg-type]
    with pytest.raises(FairsalError, match=r"logits \(N, C\)"):
        explain(nn.Conv2d(3, 2, 3), batch)


def test_importing_the_package_stays_cheap() -> None:
    """captum, zennit and torchvision take seconds to import: only who explains pays for them."""
    code = (
        "import sys, fairsal_core.saliency, fairsal_core.metrics; "
        "print([name for name in ('captum', 'zennit', 'torchvision', 'streamlit') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
