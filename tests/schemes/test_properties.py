"""What holds for every scheme, whatever the images, maps and quantile."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairsal_core.schemes import SCHEMES, apply_scheme, select_pixels

SEEDS = st.integers(0, 10_000)
QUANTILES = st.floats(0.05, 0.95)
SCHEME = st.sampled_from(sorted(SCHEMES))
FILL = (0.5, 0.4, 0.3)


def drawn(seed: int, count: int = 3, side: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=generator), torch.rand(count, side, side, generator=generator)


def applied(images: torch.Tensor, maps: torch.Tensor, scheme: str, quantile: float) -> torch.Tensor:
    chosen = maps if SCHEMES[scheme].scope == "specific" else maps.mean(dim=0)
    return apply_scheme(images, chosen, scheme, quantile, fill=FILL, generator=torch.Generator().manual_seed(1))


@given(seed=SEEDS, quantile=QUANTILES, scheme=SCHEME)
def test_only_selected_pixels_change_and_all_stay_in_range(seed: int, quantile: float, scheme: str) -> None:
    images, maps = drawn(seed)
    treated = applied(images, maps, scheme, quantile)
    selected = select_pixels(maps if SCHEMES[scheme].scope == "specific" else maps.mean(dim=0), quantile)
    changed = (treated != images).any(dim=1)
    assert not (changed & ~selected).any()
    assert treated.min() >= 0
    assert treated.max() <= 1
    assert treated.shape == images.shape


@given(seed=SEEDS, quantile=QUANTILES)
def test_the_share_that_is_hidden_is_what_lies_above_the_quantile(seed: int, quantile: float) -> None:
    _, maps = drawn(seed)
    selected = select_pixels(maps, quantile)
    for one, chosen in zip(maps.numpy(), selected.numpy(), strict=True):
        np.testing.assert_array_equal(chosen, one > np.quantile(one, quantile))


@given(seed=SEEDS, low=QUANTILES, high=QUANTILES)
def test_a_higher_quantile_hides_a_part_of_what_a_lower_one_does(seed: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    _, maps = drawn(seed)
    assert not (select_pixels(maps, high) & ~select_pixels(maps, low)).any()


@given(seed=SEEDS, quantile=QUANTILES, scheme=st.sampled_from(["general_mask", "specific_mask"]))
def test_masking_twice_is_masking_once(seed: int, quantile: float, scheme: str) -> None:
    images, maps = drawn(seed)
    once = applied(images, maps, scheme, quantile)
    assert torch.equal(applied(once, maps, scheme, quantile), once)


@given(seed=SEEDS, quantile=QUANTILES)
def test_specific_by_one_map_is_general(seed: int, quantile: float) -> None:
    images, maps = drawn(seed)
    same = maps[:1].expand(len(images), -1, -1)
    specific = apply_scheme(images, same, "specific_mask", quantile, fill=FILL)
    assert torch.equal(specific, apply_scheme(images, maps[0], "general_mask", quantile, fill=FILL))


@given(seed=SEEDS, quantile=QUANTILES, scheme=SCHEME, gain=st.floats(0.1, 10), offset=st.floats(-5, 5))
def test_only_the_order_of_a_maps_values_counts(
    seed: int, quantile: float, scheme: str, gain: float, offset: float
) -> None:
    images, _ = drawn(seed)
    maps = torch.from_numpy(np.random.default_rng(seed).permuted(np.arange(3 * 144).reshape(3, 144), axis=1))
    maps = maps.reshape(3, 12, 12).double()[:1].expand(3, -1, -1)
    expected = applied(images, maps, scheme, quantile)
    assert torch.equal(applied(images, maps * gain + offset, scheme, quantile), expected)
