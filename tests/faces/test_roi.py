"""The rectangle that drawing and measuring share."""

import numpy as np
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import Roi


def test_an_off_diagonal_rectangle_against_a_loop() -> None:
    roi, height, width = Roi(x=7, y=2, width=4, height=3), 9, 15
    expected = [[7 <= x < 11 and 2 <= y < 5 for x in range(width)] for y in range(height)]
    np.testing.assert_array_equal(roi.mask((height, width)), expected)
    assert roi.mask((height, width)).dtype == bool


def test_it_may_touch_every_edge() -> None:
    assert Roi(0, 0, 6, 4).mask((4, 6)).all()


@pytest.mark.parametrize("roi", [Roi(3, 0, 4, 1), Roi(0, 3, 1, 2), Roi(6, 4, 1, 1)])
def test_reaching_outside_the_image(roi: Roi) -> None:
    with pytest.raises(FairsalError, match="reaches outside the 6 x 4 image"):
        roi.mask((4, 6))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((0, 0, 0, 1), "at least 1 pixel, not 0 x 1"),
        ((0, 0, 1, -2), "at least 1 pixel"),
        ((-1, 0, 1, 1), "starts inside the image, not at x=-1"),
        ((0, -1, 1, 1), "starts inside the image"),
    ],
)
def test_impossible_rectangles(fields: tuple[int, int, int, int], message: str) -> None:
    with pytest.raises(FairsalError, match=message):
        Roi(*fields)
