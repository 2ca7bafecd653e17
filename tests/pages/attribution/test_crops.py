"""Crops stay inside a picture and keep their shape."""

import pytest
from PIL import Image

from pages.components.attribution.crops import crop_box, framed


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
