"""Bytes to [0, 1], normalisation, seeds."""

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.tensors import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Normalise,
    autocast,
    bf16_units,
    resident,
    seed_everything,
    to_unit,
)
from tests.helpers import noise_images


def test_to_unit_moves_channels_first_and_scales() -> None:
    images = noise_images(2, size=5)
    images[0, 1, 2] = (0, 128, 255)
    unit = to_unit(torch.from_numpy(images))
    assert unit.shape == (2, 3, 5, 5)
    assert unit.dtype == torch.float32
    assert unit[0, :, 1, 2].tolist() == [0.0, np.float32(128 / 255), 1.0]
    assert torch.equal(unit, torch.stack([torch.from_numpy(image / 255).permute(2, 0, 1).float() for image in images]))


def test_normalise_against_numpy_and_without_weights() -> None:
    images = to_unit(torch.from_numpy(noise_images(2, size=4)))
    expected = (images.numpy().transpose(0, 2, 3, 1) - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(Normalise()(images).numpy().transpose(0, 2, 3, 1), expected, rtol=1e-5, atol=1e-6)
    assert Normalise().state_dict() == {}


def test_resident_copies_a_read_only_memory_map(tmp_path) -> None:  # type: ignore[no-untyped-def]
    np.save(tmp_path / "a.npy", noise_images(3, size=4))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    copy = resident(mapped, torch.device("cpu"))  # torch warns about read-only memory, and warnings are errors here
    copy[0] = 0
    assert mapped[0].any()


def test_a_seed_fixes_the_initial_weights() -> None:
    weights = []
    for seed in (3, 3, 4):
        seed_everything(seed)
        weights.append(nn.Linear(4, 4).weight.detach())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_fp32_is_never_rounded() -> None:
    layer, inputs = nn.Linear(8, 8), torch.rand(4, 8)
    with autocast(torch.device("cpu"), "fp32"):
        output = layer(inputs)
    assert output.dtype == torch.float32
    assert torch.equal(output, layer(inputs))


@pytest.mark.parametrize(
    ("amx", "vectors", "units"),
    [(True, True, "AMX"), (False, True, "AVX512-BF16"), (False, False, "")],
)
def test_a_cpu_takes_bf16_where_it_has_instructions_for_it(
    amx: bool, vectors: bool, units: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: vectors, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert bf16_units() == units
    cpu = torch.device("cpu")
    with autocast(cpu, "bf16"):
        assert torch.is_autocast_enabled("cpu") == bool(units)
    with autocast(cpu, "fp32"):
        assert not torch.is_autocast_enabled("cpu")
    # Torch may be told to leave wide vectors alone, and has no quick way then.
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    with autocast(cpu, "bf16"):
        assert not torch.is_autocast_enabled("cpu")
