"""What is not from the photo is marked, hidden by no scheme, and has no value in what is downloaded."""

import numpy as np
import pytest

from fairsal_core.pictures import with_filling_marked
from pages.components.attribution.downloads import as_npy, figure
from pages.components.attribution.schemes import hidden_pixels
from pages.components.shared.overlay import sequential


@pytest.fixture
def outside() -> np.ndarray:
    """A corner and the lower edge."""
    rows, columns = np.indices((128, 128)) // 2 * 2
    return (rows + columns < 40) | (rows >= 110)


def test_the_selected_pixels_are_a_share_of_the_photo(outside: np.ndarray) -> None:
    values = np.random.default_rng(0).random((128, 128)).astype(np.float32)
    values[outside] = np.nan
    hidden = hidden_pixels(values, 0.7)
    assert not (hidden & outside).any()
    assert hidden[~outside].mean() == pytest.approx(0.3, abs=0.001)
    limit = np.quantile(values[~outside], 0.7)
    np.testing.assert_array_equal(hidden, np.nan_to_num(values, nan=-1) > limit)


def test_the_mark_replaces_the_filling_alone(outside: np.ndarray) -> None:
    face = np.full((128, 128, 3), 200, dtype=np.uint8)
    assert with_filling_marked(face, None) is face
    marked = with_filling_marked(face, outside)
    assert (marked[~outside] == 200).all() and (marked[outside] < 120).all()
    assert (face == 200).all()


def test_downloads_have_no_value_there(outside: np.ndarray) -> None:
    values = np.random.default_rng(0).random((128, 128)).astype(np.float32)
    values[outside] = np.nan
    face = np.zeros((128, 128, 3), dtype=np.uint8)
    picture = np.asarray(figure(face, values, sequential(0, 1), "map"))
    assert tuple(picture[16 + 420, 16 + 356 + 16 + 100]) == (104, 104, 104)
    assert b"NUMPY" in as_npy(values)
