"""Where tensors live, and which of torchrun's processes this is."""

import os
from typing import TYPE_CHECKING

from fairsal_core.errors import FairsalError

if TYPE_CHECKING:
    import torch


def pick_device(name: str = "auto") -> "torch.device":
    """Return the torch device for `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:1`.

    Raises
    ------
    FairsalError
        If the name is no device, or names a GPU that is not there.
    """
    import torch  # seconds to import: only the callers that compute pay for it

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise FairsalError(f"'{name}' is no device; use auto, cpu, cuda or cuda:0.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise FairsalError(
            f"Device '{name}' is not on this machine ({torch.cuda.device_count()} CUDA devices); use auto or cpu."
        )
    return device


def describe_machine() -> str:
    """Return what this machine has to compute with, such as "2 cores, no GPU"."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = torch.cuda.device_count()
    return f"{cores} cores, {'no GPU' if gpus == 0 else '1 GPU' if gpus == 1 else f'{gpus} GPUs'}"


def process_count() -> int:
    """Return how many processes torchrun started to train together; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def process_number() -> int:
    """Return which of them this is; the first one is 0."""
    return int(os.environ["RANK"]) if process_count() > 1 else 0
