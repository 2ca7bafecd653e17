"""Part masks: the classes of an attribute, in the pixels of the packed image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairsal_core.errors import FairsalError
from fairsal_core.faces import PART_OF, FaceDataset, part_mask
from tests.helpers import faces_in_memory


@pytest.fixture
def faces(tmp_path: Path) -> FaceDataset:
    labels = np.zeros((218, 178), dtype=np.uint8)
    labels[0:50, 100:178] = 13  # hair: top right, off the diagonal
    labels[120:130, 60:90] = 11
    labels[130:140, 60:90] = 12
    labels[200:, :] = 255
    Image.fromarray(labels).save(tmp_path / "000001.png")
    return replace(faces_in_memory({"Male": [True, False]}), parts_folder=tmp_path)


def test_rows_are_y_and_the_frame_is_squeezed(faces: FaceDataset) -> None:
    hair = part_mask(faces, "000001.jpg", "Blond_Hair")
    assert hair.shape == (128, 128)
    assert hair.dtype == bool
    rows, columns = np.nonzero(hair)
    assert (rows.min(), columns.max()) == (0, 127)
    assert rows.max() == pytest.approx(50 * 128 / 218, abs=1.5)
    assert columns.min() == pytest.approx(100 * 128 / 178, abs=1.5)


def test_several_classes_make_one_part(faces: FaceDataset) -> None:
    smile = part_mask(faces, "000001.jpg", "Smiling", size=218)
    assert np.flatnonzero(smile.any(axis=1))[[0, -1]].tolist() == [120, 139]


def test_a_part_may_be_empty_and_unknown_is_no_part(faces: FaceDataset) -> None:
    for attribute in ("Eyeglasses", "Wearing_Necktie", "Wearing_Hat"):
        assert not part_mask(faces, "000001.jpg", attribute).any()


def test_what_there_is_no_mask_for(faces: FaceDataset) -> None:
    with pytest.raises(FairsalError, match=r"no part mask for 000002\.jpg"):
        part_mask(faces, "000002.jpg", "Blond_Hair")
    with pytest.raises(FairsalError, match="'Blond_Hare'; did you mean 'Blond_Hair'"):
        part_mask(faces, "000001.jpg", "Blond_Hare")
    with pytest.raises(FairsalError, match="has no part masks"):
        part_mask(replace(faces, parts_folder=None), "000001.jpg", "Blond_Hair")


def test_a_damaged_mask_is_named(faces: FaceDataset) -> None:
    assert faces.parts_folder is not None
    (faces.parts_folder / "000002.png").write_bytes(b"rubbish")
    with pytest.raises(FairsalError, match=r"000002\.png does not decode"):
        part_mask(faces, "000002.jpg", "Blond_Hair")


@pytest.mark.parametrize("attribute", PART_OF)
def test_drawn_faces_have_every_part_exactly_where_the_attribute_is(drawn: FaceDataset, attribute: str) -> None:
    shown = drawn.labels(attribute)
    names = drawn.names[shown][:8]
    assert len(names)
    assert sum(bool(part_mask(drawn, name, attribute).any()) for name in names) == len(names)
