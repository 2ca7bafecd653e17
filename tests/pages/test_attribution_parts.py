"""What the Attribution page is made of, without a browser."""

import io

import numpy as np
import pytest
from PIL import Image

from fairsal_core.regions import PatchGrid, RegionClassifier
from fairsal_core.regions.classifier import build_network
from pages.components.crops import crop_box, framed
from pages.components.overlay import centred, diverging, sequential
from pages.components.patches import Mapped, patch_table
from pages.components.takeaway import as_npy, as_png, figure

GRID = PatchGrid()


def test_patches_are_drawn_at_their_centres() -> None:
    values = np.zeros((49, 49), dtype=np.float32)
    values[30, 7] = 1
    picture = centred(values, GRID)
    rows, columns = np.nonzero(picture == 1)
    x, y = GRID.top_left(30 * 49 + 7)
    assert (rows.min(), rows.max()) == (y + 15, y + 16)
    assert (columns.min(), columns.max()) == (x + 15, x + 16)
    assert np.isnan(picture[:15]).all()
    assert not np.isnan(picture[15:113, 15:113]).any()


@pytest.mark.parametrize(("across", "down"), [(0, 0), (0.5, 0.5), (1, 1), (0.3, 0.9)])
@pytest.mark.parametrize("zoom", [1, 1.7, 5])
@pytest.mark.parametrize("size", [(178, 218), (1000, 300), (90, 400)])
def test_a_crop_stays_inside_and_keeps_the_shape(
    size: tuple[int, int], zoom: float, across: float, down: float
) -> None:
    left, top, right, bottom = crop_box(*size, zoom, across, down)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert (right - left) / (bottom - top) == pytest.approx(178 / 218, rel=0.06)
    assert framed(Image.new("RGB", size), (left, top, right, bottom)).size[0] <= 360


def test_a_scale_is_the_same_colour_for_the_same_value() -> None:
    scale = sequential(0.2, 0.6)
    first, second = (scale.colours(np.array([[value]])) for value in (0.2, 0.6))
    assert (first[0, 0] == scale.bar[0, 0]).all()
    assert (second[0, 0] == scale.bar[0, -1]).all()
    assert (diverging(0.1).colours(np.zeros((1, 1))) > 240).all()
    assert (sequential(0.5, 0.5).colours(np.full((1, 1), 0.5))).shape == (1, 1, 3)


def test_the_table_lists_every_patch_by_confidence() -> None:
    classifier = RegionClassifier(
        build_network("dense", 3, GRID, {"width": 4}), "Cue", ("a", "b", "c"), (0.2, 0.3, 0.5)
    )
    generator = np.random.default_rng(0)
    positions = generator.uniform(size=(49, 49)).astype(np.float16)
    probabilities = generator.dirichlet([1, 1, 1], size=(49, 49)).astype(np.float32)
    one = Mapped("x", np.zeros((128, 128, 3), np.uint8), positions, np.zeros((128, 128), np.float32), probabilities)
    table = patch_table(one, classifier)
    assert len(table) == 2401
    assert table["confidence"].is_monotonic_decreasing
    best = table.iloc[0]
    row, column = divmod(int(best["position"]), 49)
    assert (best["x"], best["y"]) == GRID.top_left(int(best["position"]))
    assert best["confidence"] == positions.max() == positions[row, column]
    assert best["P(b)"] == pytest.approx(probabilities[row, column, 1])


def test_downloads_are_what_they_say() -> None:
    pixels = np.linspace(0.1, 0.9, 128 * 128, dtype=np.float32).reshape(128, 128)
    np.testing.assert_array_equal(np.load(io.BytesIO(as_npy(pixels))), pixels)
    drawn = figure(np.zeros((128, 128, 3), np.uint8), pixels, sequential(0.1, 0.9), "face 1")
    with Image.open(io.BytesIO(as_png(drawn))) as picture:
        assert picture.size == drawn.size
        assert picture.size[0] > 3 * 356
