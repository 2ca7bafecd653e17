"""LRP keeps relevance, on a network that computes what it did before its batch norms were merged."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.saliency import LrpSettings, explain
from fairsal_core.saliency.lrp import _box, canonise
from fairsal_core.tensors import IMAGENET_MEAN, IMAGENET_STD, Normalise
from tests.saliency.networks import images, residual, small_network, three_conv, trained_looking

COMPOSITES = ("epsilon_plus", "epsilon_plus_flat", "epsilon_gamma_box")
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "three_conv": (three_conv, 128),
    "resnet18": (lambda: residual("resnet18"), 64),
    "resnet50": (lambda: residual("resnet50"), 64),
}


def relative_drift(network: nn.Module, batch: Tensor) -> float:
    canonised = copy.deepcopy(network)
    canonise(canonised)
    with torch.no_grad():
        before, after = network(batch), canonised(batch)
    return float((after - before).abs().max() / before.abs().max())


@pytest.mark.parametrize("name", NETWORKS)
def test_relevance_is_kept(name: str) -> None:
    make, size = NETWORKS[name]
    network, batch = make(), images(2, size)
    explanation = explain(network, batch, target=1)
    kept = torch.from_numpy(explanation.diagnostics["relevance_kept"])
    assert (kept - 1).abs().max() < 5e-3
    with torch.no_grad():
        logits = network(batch)[:, 1]
    total = torch.from_numpy(explanation.relevance).sum(dim=(1, 2))
    torch.testing.assert_close(total, logits, rtol=5e-3, atol=1e-5)


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("target", [0, 1])
def test_every_composite_keeps_relevance(composite: str, target: int) -> None:
    settings = LrpSettings(composite=composite)
    explanation = explain(small_network(), images(3, 32), target, settings=settings)
    assert abs(explanation.diagnostics["relevance_kept"] - 1).max() < 5e-3


def test_biases_absorb_relevance_unless_they_are_left_out() -> None:
    explanation = explain(small_network(), images(3, 32), settings=LrpSettings(zero_bias=False))
    assert abs(explanation.diagnostics["relevance_kept"] - 1).min() > 0.01


@pytest.mark.parametrize("name", NETWORKS)
def test_the_canonised_network_computes_the_same(name: str) -> None:
    """Merging with batch norm's eps left in place is off by 5e-6 a layer; in double precision nothing else is.

    In single precision the order of sums, another on every processor, is worth about 1e-6 over ResNet-18's depth.
    """
    make, size = NETWORKS[name]
    network, batch = make(), images(2, size)
    assert relative_drift(network, batch) < 3e-6
    assert relative_drift(network.double(), batch.double()) < 1e-13


@pytest.mark.parametrize("name", NETWORKS)
def test_every_batch_norm_is_merged(name: str) -> None:
    network = NETWORKS[name][0]()
    canonise(network)
    assert not [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def test_epsilon_rule_by_hand() -> None:
    """Two linear layers and a LeakyReLU: relevance in proportion to the contributions, without biases."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.LeakyReLU(0.1), nn.Linear(5, 2)).eval()
    batch = images(1, 2)
    x = batch.flatten().tolist()
    first, second = network[1], network[3]
    hidden = [float(value) for value in network[:3](batch)[0].detach()]
    logit = float(network(batch)[0, 1].detach())

    def share(inputs: list[float], layer: nn.Linear, unit: int, relevance: float) -> list[float]:
        contributions = [value * float(layer.weight.detach()[unit, i]) for i, value in enumerate(inputs)]
        return [contribution / sum(contributions) * relevance for contribution in contributions]

    relevance = [0.0] * 12
    for unit, upper in enumerate(share(hidden, second, 1, logit)):
        relevance = [a + b for a, b in zip(relevance, share(x, first, unit, upper), strict=True)]
    expected = torch.tensor(relevance).view(3, 2, 2).sum(dim=0)
    settings = LrpSettings(epsilon=1e-9)
    torch.testing.assert_close(
        torch.from_numpy(explain(network, batch, settings=settings).relevance[0]), expected, rtol=1e-3, atol=1e-5
    )


def test_the_normalisation_is_a_change_of_units() -> None:
    """Relevance of the pixels is the relevance of what the network behind the normalisation sees."""
    network, batch = small_network(), images(2, 32)
    explanation = explain(network, batch)
    bare, inputs = copy.deepcopy(network[1:]), Normalise()(batch)
    canonise(bare)
    from zennit.composites import EpsilonPlus

    inputs.requires_grad_()
    with EpsilonPlus(zero_params=["bias"]).context(bare):
        logits = bare(inputs)
        start = torch.stack([torch.zeros(2), logits[:, 1].detach()], dim=1)
        (expected,) = torch.autograd.grad(logits, inputs, start)
    torch.testing.assert_close(torch.from_numpy(explanation.relevance), expected.sum(dim=1), rtol=1e-4, atol=1e-7)


def test_the_box_is_in_the_units_of_the_first_convolution() -> None:
    low, high = _box(small_network())
    assert low.flatten().tolist() == pytest.approx(
        [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    )
    assert high.flatten().tolist() == pytest.approx(
        [(1 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    )
    low, high = _box(nn.Conv2d(3, 1, 3))
    assert (low.unique().tolist(), high.unique().tolist()) == ([0], [1])


def test_a_face_whose_logits_are_nearly_nothing_is_explained() -> None:
    """Rounding is much of such logits, which tells nothing of how batch norms were merged."""
    network, batch = three_conv(), images(1, 128)
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    with torch.no_grad():
        last.bias -= network(batch)[0]
        last.bias += 1e-7
    assert relative_drift(network, batch) > 1e-3
    explanation = explain(network, batch, target=1)
    assert abs(explanation.relevance).max() < 1e-4


def test_a_batch_norm_that_cannot_be_merged_is_an_error() -> None:
    class Crossed(nn.Module):
        """Its batch norm is defined after the convolution that it precedes."""

        def __init__(self) -> None:
            super().__init__()
            self.head, self.norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
            self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))

        def forward(self, batch: Tensor) -> Tensor:
            logits: Tensor = self.mean(self.head(torch.relu(self.norm(batch))))
            return logits

    torch.manual_seed(0)
    with pytest.raises(FairsalError, match="cannot merge this network's batch norms"):
        explain(trained_looking(Crossed()), images(1, 16))
