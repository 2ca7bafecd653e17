"""Maps over faces: where patches are drawn, and on which scale."""

import numpy as np

from fairsal_core.regions import PatchGrid
from pages.components.shared.overlay import centred, diverging, sequential

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


def test_a_scale_is_the_same_colour_for_the_same_value() -> None:
    scale = sequential(0.2, 0.6)
    first, second = (scale.colours(np.array([[value]])) for value in (0.2, 0.6))
    assert (first[0, 0] == scale.bar[0, 0]).all()
    assert (second[0, 0] == scale.bar[0, -1]).all()
    assert (diverging(0.1).colours(np.zeros((1, 1))) > 240).all()
    assert (sequential(0.5, 0.5).colours(np.full((1, 1), 0.5))).shape == (1, 1, 3)
