"""Downloads are what they say."""

import io

import numpy as np
from PIL import Image

from pages.components.attribution.downloads import as_npy, as_png, figure
from pages.components.shared.overlay import sequential


def test_downloads_are_what_they_say() -> None:
    pixels = np.linspace(0.1, 0.9, 128 * 128, dtype=np.float32).reshape(128, 128)
    np.testing.assert_array_equal(np.load(io.BytesIO(as_npy(pixels))), pixels)
    drawn = figure(np.zeros((128, 128, 3), np.uint8), pixels, sequential(0.1, 0.9), "face 1")
    with Image.open(io.BytesIO(as_png(drawn))) as picture:
        assert picture.size == drawn.size
        assert picture.size[0] > 3 * 356
