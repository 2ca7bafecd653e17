"""A GPU that is not there, so that what is written for one runs, and is tested, where there is none."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode

MEMORY = 8 * 2**30


def _here(value: Any) -> Any:
    """Return the CPU for a device, or the name of one, that is a GPU; all else as it is."""
    if isinstance(value, torch.device):
        return torch.device("cpu") if value.type == "cuda" else value
    return "cpu" if isinstance(value, str) and value.partition(":")[0] == "cuda" else value


class _OnTheCpu(TorchFunctionMode):
    """Does on the CPU what torch is asked to do on a GPU; a device stays what it says."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is torch.device:
            return function(*args, **(kwargs or {}))
        return function(*map(_here, args), **{name: _here(value) for name, value in (kwargs or {}).items()})


class _Generator(torch.Generator):
    def __new__(cls, device: Any = "cpu") -> "_Generator":
        return super().__new__(cls, _here(device))


class _Autocast(torch.autocast):
    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(_here(device_type), *args, **kwargs)


@contextmanager
def standing_in() -> Iterator[torch.device]:
    """Give a device `cuda` that computes on the CPU: whatever asks which device it is takes the way of a GPU.

    Tensors say that they are on the CPU, where they are; what asks them is tested with `shapes_only`.
    """
    fork = torch.random.fork_rng
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        patch.setattr(torch.cuda, "get_device_properties", lambda device=None: SimpleNamespace(total_memory=MEMORY))
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(torch, "autocast", _Autocast)
        patch.setattr(torch.random, "fork_rng", lambda devices=(): fork(devices=[]))
        with _OnTheCpu():
            yield torch.device("cuda")


@contextmanager
def shapes_only() -> Iterator[torch.device]:
    """Give a device `cuda` whose tensors have shapes, kinds and a place, and no values: what mixes up places fails."""
    device = torch.device("cuda")
    with FakeTensorMode(), device:
        yield device
