"""Whole networks: zennit's maps where zennit is right, relevance kept, and what cannot be explained is refused by name."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fairsal_core.errors import FairsalError
from fairsal_core.saliency import LrpGraphSettings, LrpSettings, explain
from fairsal_core.saliency.lrp import prepare_lrp
from fairsal_core.saliency.lrp_graph import prepare_lrp_graph
from fairsal_core.tensors import Normalise
from tests.saliency.networks import images, residual, small_network, three_conv, trained_looking


def vgg(norms: bool) -> nn.Module:
    """Return torchvision's VGG11 with a head of 16 instead of 4,096."""
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    head = nn.Sequential(nn.Linear(512 * 4, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 2))
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return trained_looking(nn.Sequential(Normalise(), make_layers(cfgs["A"], batch_norm=norms), pool, head))


ALIKE = {
    "small": (small_network, 32),
    "three_conv": (three_conv, 128),
    "resnet18": (lambda: residual("resnet18"), 64),
    "vgg11": (lambda: vgg(norms=False), 32),
    "vgg11_bn": (lambda: vgg(norms=True), 32),
}


@pytest.mark.parametrize("name", ALIKE)
def test_it_is_zennits_map_where_zennit_knows_every_part(name: str) -> None:
    """In double precision, in which rounding is not multiplied to 1e-5 by sums that cancel."""
    make, size = ALIKE[name]
    network, batch = make().double().requires_grad_(False), images(2, size).double()
    targets = torch.tensor([1, 0])
    theirs = prepare_lrp(copy.deepcopy(network), LrpSettings(), batch[:1])(batch, targets, 2)
    ours = prepare_lrp_graph(network, LrpGraphSettings(), batch[:1])(batch, targets, 2)
    scale = float(theirs.relevance.abs().max())
    torch.testing.assert_close(ours.relevance, theirs.relevance, rtol=0, atol=1e-6 * scale)
    torch.testing.assert_close(
        ours.diagnostics["relevance_kept"], theirs.diagnostics["relevance_kept"], rtol=0, atol=1e-6
    )


class Functional(nn.Module):
    """A residual network that says with functions what torchvision says with modules, and a gate."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.gate, self.last = nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.first(pictures)), inplace=True)
        y = self.second(x)
        y = y * torch.sigmoid(self.gate(y.mean(dim=(2, 3))))[:, :, None, None]
        y += x
        logits: Tensor = self.last(functional.adaptive_avg_pool2d(functional.silu(y), 1).flatten(1))
        return logits


class Tokens(nn.Module):
    """A small transformer: patches, a class token, positions, attention and a layer scale, behind a resize."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.units, self.patches = Normalise(), nn.Conv2d(3, 12, 8, stride=8)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 12)), nn.Parameter(torch.randn(1, 26, 12) / 2)
        self.before, self.after = nn.LayerNorm(12), nn.LayerNorm(12)
        self.three, self.out, self.last = nn.Linear(12, 36), nn.Linear(12, 12), nn.Linear(12, 2)
        self.scale = nn.Parameter(torch.rand(12))

    def forward(self, pictures: Tensor) -> Tensor:
        larger = functional.interpolate(pictures, (44, 44), mode="bilinear", antialias=True)[:, :, 2:42, 2:42].flip(1)
        x = self.patches(self.units(larger)).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        query, key, value = self.three(self.before(x)).view(len(x), 26, 3, 2, 6).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.scale * self.out(mixed.transpose(1, 2).reshape(len(x), 26, 12))
        logits: Tensor = self.last(self.after(x)[:, 0])
        return logits


@pytest.mark.parametrize("make", [Functional, Tokens])
def test_relevance_is_kept(make: type[nn.Module]) -> None:
    network, batch = trained_looking(make()), images(3, 32)
    explanation = explain(network, batch, [0, 1, 1], "lrp_graph")
    kept = explanation.diagnostics["relevance_kept"]
    assert np.abs(kept - 1).max() < 0.02, kept
    with torch.no_grad():
        logits = network(batch)[range(3), [0, 1, 1]].numpy()
    shown = explanation.relevance.sum(axis=(1, 2)) / logits
    np.testing.assert_allclose(shown, kept - explanation.diagnostics["relevance_of_constants"], rtol=1e-3, atol=1e-3)


def test_what_the_picture_does_not_change_is_said() -> None:
    """Of a class token and of positions, which a picture of nothing has too."""
    explanation = explain(Tokens(), images(2, 32), 1, "lrp_graph")
    assert np.abs(explanation.diagnostics["relevance_of_constants"]).min() > 1e-3
    plain = explain(small_network(), images(2, 32), 1, "lrp_graph")
    np.testing.assert_allclose(plain.diagnostics["relevance_of_constants"], 0, atol=1e-6)


def test_the_units_of_the_picture_do_not_matter() -> None:
    """The same network behind 0 to 255 and behind 0 to 1 has the same map."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = small_network()

        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = self.network((pictures * 255 - 7).div_(255) + 7 / 255)
            return logits

    batch = images(2, 32)
    plain = explain(small_network(), batch, 1, "lrp_graph").relevance
    scaled = explain(Scaled(), batch, 1, "lrp_graph").relevance
    np.testing.assert_allclose(scaled, plain, atol=1e-4 * np.abs(plain).max())


class _Bent(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return torch.cumsum(values, dim=1)


def test_an_operation_without_a_rule_is_refused_by_name() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4), _Bent(), nn.Linear(4, 2))
    with pytest.raises(FairsalError, match="LRP has no rule for the operation 'cumsum'"):
        explain(network, images(1, 16), 1, "lrp_graph")


class _Undecided(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        means = pictures.mean(dim=(2, 3))
        logits: Tensor = self.last(means if means.sum() > 1 else -means)
        return logits


def test_a_network_that_cannot_be_exported_is_refused() -> None:
    with pytest.raises(FairsalError, match="LRP cannot take this network apart"):
        explain(_Undecided(), images(1, 16), 1, "lrp_graph")


class _Overwriting(nn.Module):
    """Writes into a view, and reads the whole: out of place it would compute something else."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(12, 6), nn.Linear(6, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        hidden = self.first(pictures.flatten(1))
        hidden[:, :3].mul_(5.0)
        logits: Tensor = self.last(hidden)
        return logits


def test_an_export_that_computes_something_else_is_refused() -> None:
    with pytest.raises(FairsalError, match="its parts give other logits"):
        explain(_Overwriting(), images(2, 2), 1, "lrp_graph")
