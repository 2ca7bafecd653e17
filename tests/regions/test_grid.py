"""The grid and Algorithm 1, against a loop over patches and pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.regions import PatchGrid, min_max, to_pixel_map
from fairsal_core.regions.grid import coverage

GRID = PatchGrid()
SMALL = PatchGrid(image_size=20, patch_size=8, per_side=7)


def slow_pixel_map(values: NDArray[np.floating], grid: PatchGrid) -> NDArray[np.float64]:
    """Algorithm 1 word for word: add each patch's value to its pixels, divide by how many patches each pixel is in."""
    total = np.zeros((grid.image_size, grid.image_size))
    count = np.zeros_like(total)
    for position in range(grid.count):
        x, y = grid.top_left(position)
        row, column = divmod(position, grid.per_side)
        total[y : y + grid.patch_size, x : x + grid.patch_size] += values[row, column]
        count[y : y + grid.patch_size, x : x + grid.patch_size] += 1
    return total / count


def slow_pixel(values: NDArray[np.floating], grid: PatchGrid, x: int, y: int) -> float:
    """Equation 5 word for word, for one pixel."""
    inside = []
    for row in range(grid.per_side):
        for column in range(grid.per_side):
            left, top = column * grid.stride, row * grid.stride
            if left <= x < left + grid.patch_size and top <= y < top + grid.patch_size:
                inside.append(values[row, column])
    return float(np.mean(inside))


# ---- the grid


def test_the_papers_numbers() -> None:
    assert (GRID.image_size, GRID.patch_size, GRID.per_side) == (128, 32, 49)
    assert (GRID.stride, GRID.count) == (2, 2401)


def test_positions_run_along_rows() -> None:
    corners = [GRID.top_left(position) for position in (0, 1, 48, 49, 2400)]
    assert corners == [(0, 0), (2, 0), (96, 0), (0, 2), (96, 96)]
    everything = [GRID.top_left(position) for position in range(GRID.count)]
    assert everything == [((i % 49) * 2, (i // 49) * 2) for i in range(2401)]


@pytest.mark.parametrize("position", [-1, 2401])
def test_positions_outside(position: int) -> None:
    with pytest.raises(FairsalError, match="positions run from 0 to 2400"):
        GRID.top_left(position)


@pytest.mark.parametrize("fields", [(128, 32, 50), (128, 0, 49), (128, 128, 2), (128, 200, 2), (128, 32, 1)])
def test_uneven_grids(fields: tuple[int, int, int]) -> None:
    with pytest.raises(FairsalError, match="not evenly spaced"):
        PatchGrid(*fields)


def test_grids_with_holes() -> None:
    with pytest.raises(FairsalError, match="A stride of 48 leaves pixels"):
        PatchGrid(128, 32, 3)


# ---- pixel maps


def test_coverage_rows_add_to_one() -> None:
    assert coverage(GRID).shape == (128, 49)
    np.testing.assert_allclose(coverage(GRID).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_an_off_centre_square_against_the_loop(kind: str) -> None:
    values = np.zeros((49, 49), dtype=np.float32)
    values[3:9, 30:44] = 1  # high up, to the right: swapping x and y would show
    values += np.random.default_rng(0).random((49, 49), dtype=np.float32) / 10
    fast = to_pixel_map(values if kind == "numpy" else torch.from_numpy(values), GRID)
    assert isinstance(fast, np.ndarray if kind == "numpy" else torch.Tensor)
    fast = np.asarray(fast)
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, slow_pixel_map(values, GRID), atol=1e-6)
    assert fast[20, 90] > 3 * fast[90, 20]


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_batches_against_the_loop(kind: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).random((*shape, 7, 7))
    fast = np.asarray(to_pixel_map(values if kind == "numpy" else torch.from_numpy(values), SMALL))
    assert fast.shape == (*shape, 20, 20)
    for place in np.ndindex(shape):
        np.testing.assert_allclose(fast[place], slow_pixel_map(values[place], SMALL), atol=1e-6)


def test_pixel_by_pixel() -> None:
    values = np.random.default_rng(5).random((7, 7))
    fast = to_pixel_map(values, SMALL)
    expected = [[slow_pixel(values, SMALL, x, y) for x in range(20)] for y in range(20)]
    np.testing.assert_allclose(fast, expected, atol=1e-6)


def test_half_precision_maps_are_summed_in_single() -> None:
    values = np.random.default_rng(2).random((49, 49)).astype(np.float16)
    np.testing.assert_allclose(to_pixel_map(values, GRID), slow_pixel_map(values.astype(float), GRID), atol=1e-6)


def test_aligned_two_by_two_blocks_are_constant() -> None:
    fast = to_pixel_map(np.random.default_rng(3).random((49, 49)), GRID)
    blocks = fast.reshape(64, 2, 64, 2)
    np.testing.assert_array_equal(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape))


@given(seed=st.integers(0, 10_000), low=st.floats(-5, 5), spread=st.floats(0, 10))
def test_means_stay_within_the_values(seed: int, low: float, spread: float) -> None:
    values = low + spread * np.random.default_rng(seed).random((7, 7))
    fast = to_pixel_map(values, SMALL)
    slack = 1e-5 * (1 + abs(low) + spread)
    assert values.min() - slack <= fast.min()
    assert fast.max() <= values.max() + slack


@given(value=st.floats(-100, 100))
def test_constants_stay_constant(value: float) -> None:
    np.testing.assert_allclose(to_pixel_map(np.full((49, 49), value), GRID), value, rtol=1e-5, atol=1e-5)


def test_gradients_pass_also_after_inference() -> None:
    grid = PatchGrid(image_size=24, patch_size=8, per_side=9)  # a grid no other test uses: its weights are kept
    with torch.inference_mode():
        to_pixel_map(torch.rand(9, 9), grid)
    values = torch.rand(9, 9, requires_grad=True)
    to_pixel_map(values, grid).sum().backward()
    assert values.grad is not None
    assert float(values.grad.sum()) == pytest.approx(24 * 24, rel=1e-4)


@pytest.mark.parametrize("shape", [(49, 48), (2401,), (49, 49, 2)])
def test_values_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(FairsalError, match=r"shape \(\.\.\., 49, 49\), got"):
        to_pixel_map(np.zeros(shape), GRID)


# ---- scaling


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_min_max_scales_each_map_by_itself(kind: str) -> None:
    maps = np.random.default_rng(4).normal(size=(3, 5, 6)) * np.array([1, 10, 100])[:, None, None]
    scaled = np.asarray(min_max(maps if kind == "numpy" else torch.from_numpy(maps)))
    for fast, one in zip(scaled, maps, strict=True):
        np.testing.assert_allclose(fast, (one - one.min()) / (one.max() - one.min()))
        assert (fast.min(), fast.max()) == (0, 1)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_a_constant_map_becomes_nothing(kind: str) -> None:
    maps = np.full((2, 4, 4), 0.3)
    assert not np.asarray(min_max(maps if kind == "numpy" else torch.from_numpy(maps))).any()


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("value", [0.3, 0.5, 0.7001, 1.0])
def test_a_constant_map_stays_constant_through_the_rounding_of_its_pixels(kind: str, value: float) -> None:
    """Scaled to [0, 1], that rounding was a map of its own, and a mask hid 30% of the pixels by it."""
    each = np.full((2, 49, 49), value, dtype=np.float16)
    each[1, 20, 31] = np.nextafter(np.float16(value), np.float16(0))  # the least difference that is kept
    pixels = to_pixel_map(each, PatchGrid())
    scaled = np.asarray(min_max(pixels if kind == "numpy" else torch.from_numpy(pixels)))
    assert not scaled[0].any()
    assert (scaled[1].min(), scaled[1].max()) == (0, 1)
