"""What is not from the photo is counted nowhere: each routine beside its slow twin."""

import numpy as np
import pytest

from fairsal_core.regions import PatchGrid, counted_pixel_map, uncounted_patches

GRID = PatchGrid()


@pytest.fixture
def outside() -> np.ndarray:
    """A corner and the lower edge."""
    rows, columns = np.indices((128, 128)) // 2 * 2
    return (rows + columns < 40) | (rows >= 110)


def test_a_patch_counts_if_half_of_it_is_from_the_photo(outside: np.ndarray) -> None:
    found = uncounted_patches(outside, GRID)
    for position in range(0, GRID.count, 7):
        x, y = GRID.top_left(position)
        expected = outside[y : y + 32, x : x + 32].mean() > 0.5
        assert found.ravel()[position] == expected
    assert 0 < found.mean() < 0.3


def test_a_pixel_is_the_mean_over_the_patches_that_count(outside: np.ndarray) -> None:
    positions = np.random.default_rng(0).random((49, 49)).astype(np.float32)
    uncounted = uncounted_patches(outside, GRID)
    found = counted_pixel_map(positions, uncounted, outside, GRID)
    for x, y in ((0, 0), (21, 21), (30, 12), (64, 64), (100, 108), (127, 109), (60, 120)):
        values = [
            positions.ravel()[position]
            for position in np.flatnonzero(~uncounted.ravel())
            if 0 <= x - GRID.top_left(position)[0] < 32 and 0 <= y - GRID.top_left(position)[1] < 32
        ]
        if outside[y, x] or not values:
            assert np.isnan(found[y, x])
        else:
            assert found[y, x] == pytest.approx(np.mean(values), abs=1e-5)


def test_evidence_in_the_filling_changes_nothing(outside: np.ndarray) -> None:
    positions = np.random.default_rng(0).random((49, 49)).astype(np.float32)
    uncounted = uncounted_patches(outside, GRID)
    other = np.where(uncounted, 99, positions)
    first, second = (counted_pixel_map(values, uncounted, outside, GRID) for values in (positions, other))
    np.testing.assert_array_equal(first, second)
    assert np.isnan(first[outside]).all()
