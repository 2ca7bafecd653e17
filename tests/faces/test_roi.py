"""The rectangle that drawing and measuring share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import ROI_PRESETS, FaceDataset, PixelRoi, Roi, part_mask, part_roi, roi_area


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


def test_any_set_of_pixels_is_a_region() -> None:
    one = np.zeros((4, 6), dtype=bool)
    one[1, 2:5] = True
    np.testing.assert_array_equal(PixelRoi(one).mask((4, 6)), one)
    each = np.stack([one, ~one])
    np.testing.assert_array_equal(PixelRoi(each).mask((4, 6)), each)
    with pytest.raises(FairsalError, match=r"images of \(4, 6\), not of \(6, 4\)"):
        PixelRoi(one).mask((6, 4))
    for wrong in (one.astype(int), one[0]):
        with pytest.raises(FairsalError, match="boolean mask"):
            PixelRoi(wrong)


def test_the_area_is_a_share_of_the_image() -> None:
    assert roi_area(Roi(1, 1, 3, 2), (4, 6)) == 6 / 24
    masks = np.zeros((3, 4, 6), dtype=bool)
    masks[0, 0], masks[2] = True, True
    assert roi_area(PixelRoi(masks), (4, 6)) == pytest.approx((6 / 24 + 1) / 2)  # the face without the part is left out
    assert roi_area(PixelRoi(masks[1]), (4, 6)) == 0


def test_presets_lie_in_the_image_where_the_papers_boxes_do() -> None:
    for roi in ROI_PRESETS.values():
        assert 0.02 < roi_area(roi, (128, 128)) < 0.25
    for name, (left, right, top, bottom) in {
        "Wearing_Necktie": (29, 149, 180, 210),
        "Wearing_Hat": (10, 160, 20, 70),
    }.items():
        roi = ROI_PRESETS[name]
        edges = (roi.x, roi.x + roi.width, roi.y, roi.y + roi.height)
        scaled = (left * 128 / 178, right * 128 / 178, top * 128 / 218, bottom * 128 / 218)
        np.testing.assert_allclose(edges, scaled, atol=0.5)


def test_each_faces_own_part(drawn: FaceDataset) -> None:
    faces = drawn.take([3, 5, 8])
    roi = part_roi(faces, "Eyeglasses")
    for name, mask in zip(faces.names, roi.mask((128, 128)), strict=True):
        np.testing.assert_array_equal(mask, part_mask(faces, str(name), "Eyeglasses"))


def test_parts_that_nobody_knows(drawn: FaceDataset) -> None:
    with pytest.raises(FairsalError, match="no part mask for attribute 'Young'"):
        part_roi(drawn, "Young")
    with pytest.raises(FairsalError, match="has no part masks; choose another"):
        part_roi(replace(drawn, parts_folder=None), "Eyeglasses")


def test_a_face_whose_mask_is_missing_has_an_empty_region(drawn: FaceDataset, tmp_path: Path) -> None:
    assert not part_roi(replace(drawn.take([0, 1]), parts_folder=tmp_path), "Blond_Hair").pixels.any()
