"""The wide dropout is dropout."""

import pytest
import torch
from torch import nn

from fairsal_core.classifiers.dropout import WideDropout


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5])
def test_it_drops_a_share_p_and_scales_the_rest(p: float) -> None:
    torch.manual_seed(0)
    output = WideDropout(p)(torch.ones(64, 6, 41, 41))
    share = float((output == 0).float().mean())
    assert share == pytest.approx(p, abs=4 * (p * (1 - p) / output.numel()) ** 0.5 + 1e-4)
    assert output[output != 0].unique().tolist() == pytest.approx([1 / (1 - p)])


def test_like_torchs_it_keeps_the_mean_and_the_variance() -> None:
    torch.manual_seed(1)
    values = torch.randn(200_000)
    ours, theirs = WideDropout(0.3)(values), nn.Dropout(0.3)(values)
    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=0.015)
    assert float(ours.var()) == pytest.approx(float(theirs.var()), rel=0.02)


def test_the_gradient_is_the_mask() -> None:
    values = torch.ones(1000, requires_grad=True)
    output = WideDropout(0.4)(values)
    output.sum().backward()
    assert torch.equal(values.grad, output.detach())


def test_it_is_seeded_and_fresh_at_every_call() -> None:
    layer, values = WideDropout(0.5), torch.ones(500)
    torch.manual_seed(3)
    first, second = layer(values), layer(values)
    torch.manual_seed(3)
    assert torch.equal(layer(values), first)
    assert not torch.equal(first, second)


def test_in_eval_mode_it_does_nothing() -> None:
    values = torch.randn(50)
    assert torch.equal(WideDropout(0.5).eval()(values), values)
