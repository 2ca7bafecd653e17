"""The three steps every network shares: bytes to [0, 1], normalise inside the network, and a seed that fixes it all."""

import random
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from fairsal_core.errors import FairsalError
from fairsal_core.files import MOST_WEIGHTS, open_bounded

# Channel means and deviations of ImageNet, the normalisation of both papers.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """Images in [0, 1] to zero mean and unit deviation (ImageNet's), as the first layer of a network.

    It belongs to the network, so that schemes, maps and explainers all work on images in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean).div_(self.std)


def to_unit(images: Tensor) -> Tensor:
    """Turn uint8 (N, H, W, 3) into float32 (N, 3, H, W) in [0, 1], channels last in memory.

    The permutation costs nothing: it is channels-last as it comes, the layout convolutions are fastest in.
    """
    return images.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def resident(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Copy uint8 images to the device once; batches are then cut there."""
    return torch.from_numpy(np.array(images)).to(device)  # np.array: a memory map is read-only, which torch refuses


def seed_everything(seed: int) -> None:
    """Seed the generators that layers draw their initial weights and dropout from."""
    random.seed(seed)
    torch.manual_seed(seed)


def load_weights(network: nn.Module, path: Path, what: str) -> nn.Module:
    """Give a network the weights in a safetensors file, and return it in eval mode.

    What the file says it holds is compared with the network's shapes before any of it is read.

    Raises
    ------
    FairsalError
        If the file is missing, damaged, or holds other tensors than the network has; `what` says of what they should be.
    """
    expected = {name: list(value.shape) for name, value in network.state_dict().items()}
    try:
        open_bounded(path, MOST_WEIGHTS).close()
        with safe_open(path, framework="pt") as file:
            found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
            wrong = [name for name in (*expected, *found) if expected.get(name) != found.get(name)]
            if wrong:
                raise ValueError(f"'{wrong[0]}' is {found.get(wrong[0])}, expected {expected.get(wrong[0])}")
            network.load_state_dict({name: file.get_tensor(name) for name in found})
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise FairsalError(f"{path} does not hold the weights of {what} ({reason}).") from error
    return network.eval()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context for `precision`: "fp32", or "bf16" where the hardware gains from it.

    A CPU that has no instructions for it (AMX, or AVX512-BF16) is slower with bf16 than with fp32, so there it stays off.
    """
    gains = device.type == "cuda" or (torch.backends.cpu.get_cpu_capability() == "AVX512" and bool(bf16_units()))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16" and gains)


def bf16_units() -> str:
    """Return which instructions this CPU multiplies bf16 with: "AMX", "AVX512-BF16", or "" where it has none."""
    for name, probe in (("AMX", "_is_amx_tile_supported"), ("AVX512-BF16", "_is_avx512_bf16_supported")):
        supported = getattr(torch.cpu, probe, None)
        if supported and supported():
            return name
    return ""
