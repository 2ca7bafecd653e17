"""Which device a name means."""

import pytest
import torch

from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError


def test_cpu_and_auto() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "fast cpu"])
def test_what_is_no_device(name: str) -> None:
    with pytest.raises(FairsalError, match="is no device; use auto, cpu"):
        pick_device(name)


@pytest.mark.parametrize(("name", "there"), [("cuda", 0), ("cuda:1", 1), ("cuda:7", 2)])
def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch, name: str, there: int) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    with pytest.raises(FairsalError, match=f"'{name}' is not on this machine \\({there} CUDA"):
        pick_device(name)


def test_a_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == torch.device("cuda", 1)
