"""Each rule against its slow twin: the operation as a matrix, and relevance shared entry by entry."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from fairsal_core.errors import FairsalError
from fairsal_core.saliency.graph.program import Ref, Step
from fairsal_core.saliency.graph.rules import PICTURE_RULES, RULES, Call, Rule, Shares

aten = torch.ops.aten
X, Y, Z = Ref("x"), Ref("y"), Ref("z")


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def called(
    op: str, call: Callable[..., Any], args: tuple[Any, ...], values: tuple[Tensor, ...], held: tuple[bool, ...] = ()
) -> Call:
    step = Step("out", op, call, args, {})
    plain = Call(step, values, held or (False,) * len(values), None, 1e-12)
    return Call(step, values, plain.held, plain.again(values), 1e-12)


def matrix(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """Return the matrix of a function that is linear but for a constant, column by column."""
    origin = function(torch.zeros_like(value)).flatten()
    units = torch.eye(value.numel(), dtype=value.dtype)
    return torch.stack([function(unit.view_as(value)).flatten() - origin for unit in units], dim=1)


def by_contribution(weights: Tensor, value: Tensor, relevance: Tensor) -> Tensor:
    """Return R_i = sum_j w_ji x_i / (sum_k w_jk x_k) R_j, entry by entry."""
    x, shares = value.flatten(), torch.zeros(value.numel(), dtype=value.dtype)
    for row, amount in zip(weights, relevance.flatten(), strict=True):
        whole = sum(float(w * v) for w, v in zip(row, x, strict=True))
        for place in range(len(x)):
            if whole:
                shares[place] += row[place] * x[place] / whole * amount
    return shares.view_as(value)


def by_positive_contribution(weights: Tensor, value: Tensor, relevance: Tensor) -> tuple[Tensor, float]:
    """Return z+'s shares, of the negative contributions where there are no others, and what is left then."""
    x, shares, left = value.flatten(), torch.zeros(value.numel(), dtype=value.dtype), 0.0
    for row, amount in zip(weights, relevance.flatten(), strict=True):
        contributions = row * x
        for part in (contributions.clamp(min=0), contributions.clamp(max=0)):
            if part.any():
                shares += part / part.sum() * amount
                break
        else:
            left += float(amount)
    return shares.view_as(value), left


def run(rule: Rule, call: Call, relevance: Any) -> list[Tensor]:
    shares: Shares = rule(call, relevance)
    return [torch.empty(0) if share is None else share for share in shares.inputs]


CLOSE = {"rtol": 1e-5, "atol": 1e-9}


@pytest.mark.parametrize("options", [([1, 1], [0, 0]), ([2, 2], [1, 1])])
def test_a_convolution_shares_by_positive_contribution(options: tuple[list[int], list[int]]) -> None:
    value, weight, bias = numbers(1, 2, 4, 5), numbers(3, 2, 3, 3, seed=1), numbers(3, seed=2)
    call = called("conv2d", aten.conv2d.default, (X, weight, bias, *options), (value,))
    relevance = numbers(*call.output.shape, seed=3)
    weights = matrix(lambda x: functional.conv2d(x, weight, None, *options), value)
    expected, _ = by_positive_contribution(weights, value, relevance)
    (found,) = run(RULES["conv2d"], call, relevance)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)  # z+ has a stabiliser of 1e-6
    (positive,) = run(RULES["conv2d"], called("conv2d", call.step.call, call.step.args, (value.abs(),)), relevance)
    expected, _ = by_positive_contribution(weights, value.abs(), relevance)
    torch.testing.assert_close(positive, expected, rtol=1e-4, atol=1e-6)


def test_a_depthwise_convolution_loses_nothing() -> None:
    """Where no contribution is positive the negative ones share, and where there is none the constants have it."""
    value, weight = numbers(1, 2, 5, 5).relu(), -numbers(2, 1, 3, 3, seed=1).abs()
    value[0, 0, :3, :3] = 0
    weight[1, 0, 0, 0] = 0.5
    call = called("conv2d", aten.conv2d.default, (X, weight, numbers(2), [1, 1], [0, 0], [1, 1], 2), (value,))
    relevance = numbers(*call.output.shape, seed=3)
    weights = matrix(lambda x: functional.conv2d(x, weight, groups=2), value)
    expected, left = by_positive_contribution(weights, value, relevance)
    shares = RULES["conv2d"](call, relevance)
    assert shares.constants is not None
    torch.testing.assert_close(shares.inputs[0], expected, rtol=1e-4, atol=1e-5)
    assert float(shares.constants.sum()) == pytest.approx(left)
    assert left != 0
    assert float(shares.inputs[0].sum() + shares.constants.sum()) == pytest.approx(float(relevance.sum()), abs=1e-4)


def test_a_linear_layer_shares_by_contribution() -> None:
    value, weight, bias = numbers(2, 3, 4), numbers(5, 4, seed=1), numbers(5, seed=2)
    call = called("linear", aten.linear.default, (X, weight, bias), (value,))
    relevance = numbers(2, 3, 5, seed=3)
    expected = by_contribution(matrix(lambda x: x @ weight.T, value), value, relevance)
    torch.testing.assert_close(run(RULES["linear"], call, relevance)[0], expected, **CLOSE)


SHARED: dict[str, tuple[str, Callable[..., Tensor], tuple[Any, ...], Tensor]] = {
    "mean": ("mean", aten.mean.dim, (X, [2, 3]), numbers(2, 2, 3, 3)),
    "sum": ("sum", aten.sum.dim_IntList, (X, [1]), numbers(2, 3, 2)),
    "avg_pool2d": ("avg_pool2d", aten.avg_pool2d.default, (X, [2, 2]), numbers(1, 2, 4, 4)),
    "adaptive_avg_pool2d": ("adaptive_avg_pool2d", aten.adaptive_avg_pool2d.default, (X, [2, 2]), numbers(1, 2, 5, 5)),
    "resized features": (
        "upsample_bilinear2d", aten.upsample_bilinear2d.default, (X, [5, 5], False), numbers(1, 2, 3, 3),
    ),
    "a constant times features": ("matmul", aten.matmul.default, (numbers(3, 4), X), numbers(2, 4, 2, seed=1)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_a_mean_or_sum_shares_by_contribution(name: str) -> None:
    op, function, args, value = SHARED[name]
    call = called(op, function, args, (value,))
    relevance = numbers(*call.output.shape, seed=5)
    expected = by_contribution(matrix(lambda x: call.again([x]), value), value, relevance)
    torch.testing.assert_close(run(RULES[op], call, relevance)[0], expected, rtol=1e-4, atol=1e-5)


MOVED: dict[str, tuple[str, Callable[..., Any], tuple[Any, ...], Tensor]] = {
    "view": ("view", aten.view.default, (X, [2, 6]), numbers(2, 2, 3)),
    "permute": ("permute", aten.permute.default, (X, [0, 2, 1]), numbers(2, 2, 3)),
    "slice": ("slice", aten.slice.Tensor, (X, 1, 0, 3, 2), numbers(2, 4)),
    "select": ("select", aten.select.int, (X, 1, 2), numbers(2, 4)),
    "expand": ("expand", aten.expand.default, (X, [2, 3, 4]), numbers(2, 1, 4)),
    "roll": ("roll", aten.roll.default, (X, [1, 2], [1, 2]), numbers(1, 3, 4)),
    "flip": ("flip", aten.flip.default, (X, [1]), numbers(2, 3)),
    "index": ("index", aten.index.Tensor, (X, [None, torch.tensor([2, 0, 0])]), numbers(2, 3)),
    "pad": ("pad", aten.pad.default, (X, [1, 2]), numbers(2, 3)),
    "cat": ("cat", aten.cat.default, ([numbers(2, 1), X], 1), numbers(2, 3, seed=1)),
    "where": ("where", aten.where.self, (torch.tensor([True, False, True]), X, numbers(2, 3)), numbers(2, 3, seed=1)),
}


@pytest.mark.parametrize("name", MOVED)
def test_what_is_moved_takes_its_relevance_along(name: str) -> None:
    op, function, args, value = MOVED[name]
    call = called(op, function, args, (value,))
    relevance = numbers(*call.output.shape, seed=5)
    weights = matrix(lambda x: call.again([x]), value)
    assert set(weights.unique().tolist()) <= {0.0, 1.0}
    shares = RULES[op](call, relevance)
    torch.testing.assert_close(shares.inputs[0], (weights.T @ relevance.flatten()).view_as(value))
    if op in ("cat", "where", "pad"):
        assert shares.constants is not None
        whole = shares.inputs[0].sum() + shares.constants.sum()
        assert float(whole) == pytest.approx(float(relevance.sum()))


def test_pieces_move_back_together() -> None:
    value = numbers(2, 6)
    call = called("split", aten.split.Tensor, (X, 2, 1), (value,))
    pieces = [numbers(2, 2, seed=seed) for seed in range(3)]
    (found,) = run(RULES["split"], call, [pieces[0], None, pieces[2]])
    torch.testing.assert_close(found, torch.cat([pieces[0], torch.zeros(2, 2), pieces[2]], dim=1))


@pytest.mark.parametrize("op", ["max_pool2d", "maximum"])
def test_the_largest_takes_all(op: str) -> None:
    value, other = numbers(1, 1, 4, 4), numbers(1, 1, 4, 4, seed=1)
    relevance = numbers(1, 1, *((2, 2) if op == "max_pool2d" else (4, 4)), seed=2)
    if op == "max_pool2d":
        expected = torch.zeros_like(value)
        for y in range(2):
            for x in range(2):
                window = value[0, 0, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
                place = int(window.argmax())
                expected[0, 0, 2 * y + place // 2, 2 * x + place % 2] = relevance[0, 0, y, x]
        found = run(RULES[op], called(op, aten.max_pool2d.default, (X, [2, 2], [2, 2]), (value,)), relevance)
        torch.testing.assert_close(found[0], expected)
        return
    found = run(RULES[op], called(op, aten.maximum.default, (X, Y), (value, other)), relevance)
    torch.testing.assert_close(found[0], torch.where(value > other, relevance, 0))
    torch.testing.assert_close(found[1], torch.where(value > other, 0, relevance))


def test_terms_of_a_sum_share_it_and_so_do_constants() -> None:
    one, other, constant = numbers(2, 3, 4), numbers(2, 3, 4, seed=1), numbers(1, 3, 4, seed=2)
    relevance = numbers(2, 3, 4, seed=3)
    found = run(RULES["add"], called("add", aten.add.Tensor, (X, Y), (one, other)), relevance)
    torch.testing.assert_close(found[0], one / (one + other) * relevance, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[1], other / (one + other) * relevance, rtol=1e-4, atol=1e-5)
    shares = RULES["add"](called("add", aten.add.Tensor, (X, constant), (one,)), relevance)
    assert shares.constants is not None
    expected = (constant / (one + constant) * relevance).sum(dim=(1, 2))
    torch.testing.assert_close(shares.constants, expected, rtol=1e-3, atol=1e-4)


def test_log_sum_exp_shares_by_the_weight_it_gives() -> None:
    value, relevance = numbers(2, 3), numbers(2, seed=1)
    weights = value.softmax(dim=1)
    expected = torch.stack([w * x / (w * x).sum() * r for w, x, r in zip(weights, value, relevance, strict=True)])
    found = run(RULES["logsumexp"], called("logsumexp", aten.logsumexp.default, (X, [1]), (value,)), relevance)
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5)


def test_a_gate_takes_nothing() -> None:
    value, gate, relevance = numbers(2, 3, 4, 4), numbers(2, 3, 1, 1, seed=1), numbers(2, 3, 4, 4, seed=2)
    for args, values in (((X, Y), (value, gate)), ((Y, X), (gate, value))):
        found = run(RULES["mul"], called("mul", aten.mul.Tensor, args, values), relevance)
        signal = 0 if values[0] is value else 1
        assert torch.equal(found[signal], relevance)
        assert found[1 - signal].numel() == 0
    alike = called("mul", aten.mul.Tensor, (X, Y), (value, value), held=(False, True))
    assert torch.equal(run(RULES["mul"], alike, relevance)[0], relevance)
    with pytest.raises(FairsalError, match="'mul' of two parts of the network of which neither is a gate"):
        RULES["mul"](called("mul", aten.mul.Tensor, (X, Y), (value, value)), relevance)


@pytest.mark.parametrize("mask", [None, numbers(3, 3, seed=9), torch.ones(3, 3, dtype=torch.bool).tril()])
def test_attention_shares_by_its_weights(mask: Tensor | None) -> None:
    query, key, value = (numbers(2, 3, 4, seed=seed) for seed in range(3))
    relevance = numbers(2, 3, 4, seed=3)
    expected = torch.zeros_like(value)
    for picture in range(2):
        scores = query[picture] @ key[picture].T / 2
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        weights = scores.softmax(dim=1)
        for channel in range(4):
            expected[picture, :, channel] = by_contribution(
                weights, value[picture, :, channel], relevance[picture, :, channel]
            )
    args = (X, Y, Z) if mask is None else (X, Y, Z, mask)
    fused = called("scaled_dot_product_attention", aten.scaled_dot_product_attention.default, args, (query, key, value))
    found = run(RULES[fused.step.op], fused, relevance)
    assert (found[0].numel(), found[1].numel()) == (0, 0)
    torch.testing.assert_close(found[2], expected, rtol=1e-4, atol=1e-5)
    if mask is None:
        weights = (query @ key.transpose(1, 2) / 2).softmax(dim=2)
        apart = called("matmul", aten.matmul.default, (X, Y), (weights, value), held=(True, False))
        torch.testing.assert_close(run(RULES["matmul"], apart, relevance)[1], expected, rtol=1e-4, atol=1e-5)


NORMS: dict[str, tuple[str, Callable[..., Tensor], tuple[Any, ...]]] = {
    "layer_norm": ("layer_norm", aten.layer_norm.default, (X, [4], numbers(4), numbers(4, seed=1))),
    "group_norm": ("group_norm", aten.group_norm.default, (X, 1, numbers(3), numbers(3, seed=1))),
    "batch_norm": (
        "batch_norm", aten.batch_norm.default,
        (X, numbers(3), numbers(3), numbers(3), numbers(3).abs() + 0.1, False, 0.1, 1e-5, False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NORMS)
def test_a_norm_with_its_statistics_held_is_linear(name: str) -> None:
    """y = a x + c of each number alone: all of y's relevance, c being a bias, is x's."""
    op, function, args = NORMS[name]
    value = numbers(2, 3, 4)
    call = called(op, function, args, (value,))
    relevance = numbers(2, 3, 4, seed=5)
    slope = numbers(24, seed=6).abs() + 0.1  # whatever it is
    expected = by_contribution(torch.diag(slope), value, relevance)
    torch.testing.assert_close(run(RULES[op], call, relevance)[0], expected)


@pytest.mark.parametrize("op", ["relu", "gelu", "silu", "hardswish", "leaky_relu"])
def test_activations_pass_relevance(op: str) -> None:
    value, relevance = numbers(2, 3), numbers(2, 3, seed=1)
    call = called(op, getattr(aten, op).default, (X,), (value,))
    assert torch.equal(run(RULES[op], call, relevance)[0], relevance)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "nearest"])
def test_a_resized_picture_shares_by_the_weights_alone(mode: str) -> None:
    """Whatever the pixels' values: R_i = sum_j w_ji R_j, and the weights of a new pixel sum to 1."""
    value = numbers(1, 1, 4, 4)
    options = () if mode == "nearest" else (False,)
    function = getattr(aten, f"upsample_{mode}2d").default
    call = called(f"upsample_{mode}2d", function, (X, [6, 6], *options), (value,))
    relevance = numbers(1, 1, 6, 6, seed=1)
    weights = matrix(lambda x: call.again([x]), value)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(36, dtype=torch.float64))
    (found,) = run(PICTURE_RULES[call.step.op], call, relevance)
    torch.testing.assert_close(found, (weights.T @ relevance.flatten()).view_as(value))
    assert float(found.sum()) == pytest.approx(float(relevance.sum()))
