"""The four schemes: exactly the selected pixels change, and nothing else."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from fairsal_core.errors import FairsalError
from fairsal_core.schemes import NOISE_DOMAINS, SCHEMES, apply_scheme, find_scheme, hide, select_pixels
from fairsal_core.schemes.noise import gaussian
from fairsal_core.tensors import IMAGENET_MEAN, IMAGENET_STD

FILL = (0.2, 0.4, 0.9)
ALL = sorted(SCHEMES)
MASKS, NOISES = ("general_mask", "specific_mask"), ("general_noise", "specific_noise")
HEIGHT, WIDTH = 12, 16


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(4, 3, HEIGHT, WIDTH, generator=generator(1))


def maps_for(scheme: str, count: int = 4) -> torch.Tensor:
    shape = (HEIGHT, WIDTH) if SCHEMES[scheme].scope == "general" else (count, HEIGHT, WIDTH)
    return torch.rand(shape, generator=generator(2))


def slow_selected(maps: torch.Tensor, quantile: float, count: int) -> NDArray[np.bool_]:
    """Which pixels of each image: its own map, or the one for all, above numpy's quantile."""
    each = [maps if maps.ndim == 2 else maps[index] for index in range(count)]
    return np.stack([one.numpy() > np.quantile(one.numpy(), quantile) for one in each])


def test_the_papers_four() -> None:
    assert ALL == ["general_mask", "general_noise", "specific_mask", "specific_noise"]
    for name, scheme in SCHEMES.items():
        assert scheme.name == name
        assert name.startswith(scheme.scope)
        assert scheme.description


@pytest.mark.parametrize("quantile", [0.3, 0.7])
@pytest.mark.parametrize("scheme", ALL)
def test_exactly_the_selected_pixels_change(images: torch.Tensor, scheme: str, quantile: float) -> None:
    maps = maps_for(scheme)
    result = apply_scheme(images, maps, scheme, quantile, FILL, generator())
    expected = slow_selected(maps, quantile, len(images))
    for before, after, selected in zip(images.numpy(), result.numpy(), expected, strict=True):
        np.testing.assert_array_equal((before != after).any(axis=0), selected)
        np.testing.assert_array_equal(before[:, ~selected], after[:, ~selected])
    assert expected.mean() == pytest.approx(1 - quantile, abs=0.01)


@pytest.mark.parametrize("scheme", MASKS)
def test_masks_have_the_given_colour(images: torch.Tensor, scheme: str) -> None:
    maps = maps_for(scheme)
    result = apply_scheme(images, maps, scheme, 0.7, FILL).numpy()
    for after, selected in zip(result, slow_selected(maps, 0.7, 4), strict=True):
        np.testing.assert_allclose(after[:, selected], np.array(FILL)[:, None].repeat(selected.sum(), axis=1))


@pytest.mark.parametrize("fill", [list(FILL), torch.tensor(FILL), np.array(FILL)], ids=["list", "tensor", "array"])
def test_the_colour_comes_in_any_form(images: torch.Tensor, fill: object) -> None:
    maps = maps_for("general_mask")
    expected = apply_scheme(images, maps, "general_mask", 0.7, FILL)
    torch.testing.assert_close(apply_scheme(images, maps, "general_mask", 0.7, fill), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", NOISES)
def test_noise_is_seeded_and_fresh(images: torch.Tensor, scheme: str) -> None:
    maps, source = maps_for(scheme), generator(5)
    first = apply_scheme(images, maps, scheme, 0.5, generator=source)
    second = apply_scheme(images, maps, scheme, 0.5, generator=source)
    assert not torch.equal(first, second)
    assert torch.equal(first, apply_scheme(images, maps, scheme, 0.5, generator=generator(5)))


def test_noise_differs_from_image_to_image_and_channel_to_channel() -> None:
    grey = torch.full((2, 3, HEIGHT, WIDTH), 0.5)
    result = apply_scheme(grey, maps_for("general_noise"), "general_noise", 0.5, generator=generator())
    assert not torch.equal(result[0], result[1])
    assert not torch.equal(result[0, 0], result[0, 1])


@pytest.mark.parametrize("scheme", NOISES)
def test_noise_has_the_papers_deviation_and_is_clipped(scheme: str) -> None:
    grey = torch.full((200, 3, HEIGHT, WIDTH), 0.5)
    maps = maps_for(scheme, count=200)
    result = apply_scheme(grey, maps, scheme, 0.5, generator=generator())
    changed = result[torch.from_numpy(slow_selected(maps, 0.5, 200)).unsqueeze(1).expand_as(result)].numpy()
    assert (changed.min(), changed.max()) == (0, 1)
    # Of N(0.5, 0.5) a share of 15.87% lies below 0, as much above 1, and 38.29% within half a deviation.
    assert (changed == 0).mean() == pytest.approx(0.1587, abs=0.01)
    assert (changed == 1).mean() == pytest.approx(0.1587, abs=0.01)
    assert (np.abs(changed - 0.5) < 0.25).mean() == pytest.approx(0.3829, abs=0.015)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_noise_is_gaussian_and_independent(kind: torch.dtype, order: torch.memory_format) -> None:
    images = torch.rand(60, 3, 40, 50, dtype=kind).contiguous(memory_format=order)
    drawn = gaussian(images, generator(3))
    assert (drawn.dtype, drawn.shape, drawn.stride()) == (images.dtype, images.shape, images.stride())
    assert stats.kstest(drawn.flatten(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(drawn[:, 0].flatten(), drawn[:, 1].flatten())[0, 1]) < 0.015  # 4 deviations of 120,000
    assert abs(np.corrcoef(drawn[..., 1:].flatten(), drawn[..., :-1].flatten())[0, 1]) < 0.01
    assert torch.equal(drawn, gaussian(images, generator(3)))
    source = generator(3)
    assert not torch.equal(gaussian(images, source), gaussian(images, source))


@pytest.mark.parametrize("scheme", ALL)
def test_what_was_given_stays_as_it_was(images: torch.Tensor, scheme: str) -> None:
    maps = maps_for(scheme)
    before, maps_before = images.clone(), maps.clone()
    result = apply_scheme(images, maps, scheme, 0.5, FILL, generator())
    result.zero_()
    assert torch.equal(images, before)
    assert torch.equal(maps, maps_before)


def test_rows_of_a_map_are_rows_of_the_image(images: torch.Tensor) -> None:
    maps = torch.zeros(HEIGHT, WIDTH)
    maps[1:3, 10:15] = 1  # y 1..2, x 10..14: off the diagonal
    changed = (apply_scheme(images, maps, "general_mask", 0.8, (2.0, 2.0, 2.0)) == 2).all(dim=1)
    assert changed[:, 1:3, 10:15].all()
    assert int(changed.sum()) == 4 * 2 * 5


@pytest.mark.parametrize("scheme", ALL)
def test_maps_of_the_wrong_shape(images: torch.Tensor, scheme: str) -> None:
    other = next(name for name in ALL if SCHEMES[name].scope != SCHEMES[scheme].scope)
    with pytest.raises(FairsalError, match=rf"{scheme} needs maps of shape \("):
        apply_scheme(images, maps_for(other), scheme, 0.7)
    with pytest.raises(FairsalError, match="needs maps of shape"):
        apply_scheme(images, maps_for(scheme).transpose(-1, -2), scheme, 0.7)


def test_the_authors_noise_by_hand() -> None:
    """After normalisation, clipped to [0, 1] everywhere: what is darker than the mean becomes the mean."""
    images = torch.rand(2, 3, HEIGHT, WIDTH, generator=generator(1))
    selected = torch.zeros(1, 1, HEIGHT, WIDTH, dtype=torch.bool)
    selected[..., 3:6, 2:9] = True
    result = NOISE_DOMAINS["normalised"](images, selected, torch.zeros(1, 3, 1, 1), generator(4)).numpy()
    noise = 0.5 * gaussian(images, generator(4)).numpy()
    for channel, (mean, deviation) in enumerate(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)):
        normalised = (images.numpy()[:, channel] - mean) / deviation
        normalised[:, 3:6, 2:9] += noise[:, channel, 3:6, 2:9]
        expected = np.clip(normalised, 0, 1) * deviation + mean
        np.testing.assert_allclose(result[:, channel], expected, atol=1e-6)
    dark = images.numpy()[:, 0] < IMAGENET_MEAN[0]
    outside = dark & ~selected.numpy()[:, 0]
    np.testing.assert_allclose(result[:, 0][outside], IMAGENET_MEAN[0], atol=1e-6)


def test_the_noise_domain_changes_noise_alone() -> None:
    assert find_scheme("specific_noise", "normalised").hide is NOISE_DOMAINS["normalised"]
    assert find_scheme("specific_noise", "normalised").scope == "specific"
    assert find_scheme("general_mask", "normalised") == SCHEMES["general_mask"]
    with pytest.raises(FairsalError, match="no noise domain 'normalized'; did you mean 'normalised'"):
        find_scheme("general_noise", "normalized")


def test_other_mistakes(images: torch.Tensor) -> None:
    with pytest.raises(FairsalError, match=r"shape \(N, 3, H, W\), got \(3, 12, 16\)"):
        apply_scheme(images[0], maps_for("general_mask"), "general_mask", 0.7)
    with pytest.raises(FairsalError, match="no scheme 'generalmask'; did you mean 'general_mask'"):
        apply_scheme(images, maps_for("general_mask"), "generalmask", 0.7)
    for quantile in (0.0, 1.0, float("nan"), -1.0):
        with pytest.raises(FairsalError, match="must lie between 0 and 1"):
            apply_scheme(images, maps_for("general_mask"), "general_mask", quantile)


@pytest.mark.parametrize("scheme", ALL)
def test_hiding_what_was_selected_before_is_the_same(images: torch.Tensor, scheme: str) -> None:
    maps = maps_for(scheme)
    at_once = apply_scheme(images, maps, scheme, 0.7, FILL, generator(3))
    in_two = hide(images, select_pixels(maps, 0.7), find_scheme(scheme), FILL, generator(3))
    assert torch.equal(at_once, in_two)
