"""The folded training pass of `three_conv` against its layers."""

import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import build_classifier, folded
from fairsal_core.classifiers.folded import fold, fold_kernel, folded_pass, unfold
from fairsal_core.device import pick_device
from fairsal_core.tensors import autocast


def _network(seed: int, dropped: float = 0.0) -> nn.Sequential:
    """A network whose batch norms have weights of both signs, so that pooling before them is put to the test."""
    torch.manual_seed(seed)
    network = build_classifier("three_conv").train()
    assert isinstance(network, nn.Sequential)
    for layer in network:
        if isinstance(layer, nn.Dropout):
            layer.p = dropped
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return network


def _gradients(network: nn.Module, logits: Tensor) -> dict[str, Tensor]:
    network.zero_grad()
    nn.functional.cross_entropy(logits.float(), torch.arange(len(logits)) % 2).backward()
    # A constant before a batch norm has no effect and, but for rounding, no gradient.
    constants = ("1.bias", "6.bias", "11.bias")
    return {
        name: weight.grad
        for name, weight in network.named_parameters()
        if name not in constants and weight.grad is not None
    }


@pytest.mark.parametrize("count", [2, 33])
def test_the_layers_give_the_same_logits_gradients_and_statistics(count: int) -> None:
    images = torch.rand(count, 3, 128, 128, generator=torch.Generator().manual_seed(count))
    slow, fast = _network(0), _network(0)
    expected, found = slow(images), folded_pass(fast, images)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    slow_gradients = _gradients(slow, expected)
    for name, gradient in _gradients(fast, found).items():
        assert (gradient - slow_gradients[name]).norm() <= 1e-4 * slow_gradients[name].norm(), name
    for (name, buffer), other in zip(fast.named_buffers(), slow.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, msg=name)


def test_the_pixels_of_a_window_are_channels_of_the_folded_convolution() -> None:
    images, weight = torch.randn(2, 3, 8, 12), torch.randn(5, 3, 5, 5)
    plain = nn.functional.conv2d(images, weight, padding=2)
    windows = torch.empty(2, 12, 4, 6).contiguous(memory_format=torch.channels_last)
    assert torch.equal(unfold(fold(images, windows), torch.empty_like(images)), images)
    folded = nn.functional.conv2d(windows, fold_kernel(weight), padding=1)
    for pixel in range(4):
        down, right = divmod(pixel, 2)
        torch.testing.assert_close(
            folded[:, 5 * pixel : 5 * pixel + 5], plain[:, :, down::2, right::2], atol=1e-5, rtol=1e-5
        )


def test_equal_pixels_share_nothing_the_first_takes_it_as_in_torch() -> None:
    images = torch.full((4, 3, 128, 128), 0.25)  # inside a flat picture, all pixels of a window tie
    images[1::2] = 0.75
    slow, fast = _network(1), _network(1)
    slow_gradients = _gradients(slow, slow(images))
    for name, gradient in _gradients(fast, folded_pass(fast, images)).items():
        assert (gradient - slow_gradients[name]).norm() <= 1e-3 * slow_gradients[name].norm() + 1e-6, name


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    images = torch.rand(64, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    without, sparse = _network(2), _network(2, dropped=0.3)
    folded_pass(without, images)
    folded_pass(sparse, images)
    mean, variance = (getattr(without[3], name) for name in ("running_mean", "running_var"))
    # Of a value v kept with probability 0.7 and scaled by 1/0.7: the mean stays, the variance gains 0.3/0.7 of the square.
    square = ((variance - 0.9) / 0.1) + (mean / 0.1) ** 2
    torch.testing.assert_close(sparse[3].running_mean, mean, atol=1e-3, rtol=0.01)
    torch.testing.assert_close(sparse[3].running_var, variance + 0.1 * square * 0.3 / 0.7, atol=1e-3, rtol=0.01)


class _Pattern(nn.Dropout):
    """Drops the same elements of every image every time, those of a pattern of its map's shape."""

    def forward(self, input: Tensor) -> Tensor:
        return input * _kept(input.shape[1:], self.p) / (1 - self.p)


def _kept(shape: torch.Size, dropped: float) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(7)) >= dropped).float()


def test_what_is_dropped_learns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def drop(maps: Tensor, share: float, generator: object) -> None:
        _, _, channels, height, width = maps.shape
        kept = _kept(torch.Size((channels, 2 * height, 2 * width)), share)
        maps *= kept.view(channels, height, 2, width, 2).permute(2, 4, 0, 1, 3).reshape(maps.shape[1:])

    monkeypatch.setattr(folded, "_drop", drop)
    slow, fast = _network(3, dropped=0.4), _network(3, dropped=0.4)
    for network in (slow, fast):
        for position, layer in enumerate(network):
            if isinstance(layer, nn.Dropout):
                network[position] = _Pattern(0.4) if position < 16 else nn.Identity()
    images = torch.rand(6, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    slow_gradients = _gradients(slow, slow(images))
    for name, gradient in _gradients(fast, folded_pass(fast, images)).items():
        assert (gradient - slow_gradients[name]).norm() <= 1e-4 * slow_gradients[name].norm(), name


@pytest.mark.parametrize("threads", [1, 3])
def test_its_numbers_do_not_depend_on_the_threads(threads: int) -> None:
    images = torch.rand(9, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    before, network = torch.get_num_threads(), _network(7, dropped=0.3)
    try:
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        logits = folded_pass(network, images)
        gradients = _gradients(network, logits)
        torch.set_num_threads(2)
        torch.manual_seed(0)
        twice = folded_pass(network, images)
        torch.testing.assert_close(logits, twice, atol=1e-5, rtol=1e-5)
        for name, gradient in _gradients(network, twice).items():
            assert (gradient - gradients[name]).norm() <= 1e-4 * gradients[name].norm(), name
    finally:
        torch.set_num_threads(before)


def test_it_is_seeded_and_fresh_at_every_call() -> None:
    network, images = _network(4, dropped=0.5), torch.rand(4, 3, 128, 128)
    torch.manual_seed(3)
    first, second = folded_pass(network, images), folded_pass(network, images)
    torch.manual_seed(3)
    assert torch.equal(folded_pass(network, images), first)
    assert not torch.equal(first, second)


def test_in_bf16_its_gradients_err_as_little_as_the_layers_do() -> None:
    images = torch.rand(32, 3, 128, 128, generator=torch.Generator().manual_seed(5))
    slow, fast, exact = _network(5), _network(5), _network(5)
    truth = _gradients(exact, exact(images))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layers, ours = slow(images), folded_pass(fast, images)
    errors = [
        sum(float((found[name] - truth[name]).norm() / truth[name].norm()) for name in truth)
        for found in (_gradients(slow, layers), _gradients(fast, ours))
    ]
    assert errors[1] < 1.5 * errors[0]


def test_autocast_decides_the_precision() -> None:
    with autocast(pick_device("cpu"), "fp32"):
        assert folded_pass(_network(6), torch.rand(2, 3, 128, 128)).dtype == torch.float32
