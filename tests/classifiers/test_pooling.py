"""Pooling without gradients gives what torch's does, bit for bit."""

import pytest
import torch

from fairsal_core.classifiers.pooling import WidePool


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 1, 2, 2), (2, 3, 7, 9), (3, 6, 5), (0, 3, 4, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_against_torch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert torch.equal(WidePool()(images), torch.nn.MaxPool2d(2)(images))


def test_a_number_that_is_none_is_kept() -> None:
    images = torch.zeros(1, 1, 4, 4)
    images[0, 0, 1, 1] = float("nan")
    assert WidePool()(images).isnan().tolist() == torch.nn.MaxPool2d(2)(images).isnan().tolist()


def test_the_gradient_goes_to_the_winner() -> None:
    images = torch.tensor([[[[1.0, 2.0], [4.0, 3.0]]]], requires_grad=True)
    WidePool()(images).sum().backward()
    assert images.grad is not None
    assert images.grad.tolist() == [[[[0.0, 0.0], [1.0, 0.0]]]]


def test_channels_last() -> None:
    images = torch.randn(2, 6, 16, 16).contiguous(memory_format=torch.channels_last)
    assert torch.equal(WidePool()(images), torch.nn.MaxPool2d(2)(images))
