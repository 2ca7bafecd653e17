"""Any photo of a face becomes CelebA's frame, and what is not from the photo is marked."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.drawing import draw_face
from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    Face,
    Similarity,
    align_face,
    aligned_square,
    find_faces,
    is_aligned,
    misplacement,
    outside_of_square,
    to_frame,
    to_square,
)
from fairsal_core.faces.alignment import FRAME, MEAN_POINTS

POINTS = np.array(MEAN_POINTS)
turns = st.floats(-180, 180)
scales = st.floats(0.05, 20)
places = st.floats(-500, 500)


def portrait(index: int = 3) -> Image.Image:
    return draw_face(seed=99, index=index).image


def moved(picture: Image.Image, way: Similarity, size: tuple[int, int]) -> Image.Image:
    """Return a canvas of a size on which a picture is turned, scaled and moved."""
    step, start = 1 / way.factor, -way.shift / way.factor
    back = (step.real, -step.imag, start.real, step.imag, step.real, start.imag)
    return picture.transform(size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC, fillcolor=(119, 136, 153))


def face_at(points: NDArray[np.floating]) -> Face:
    return Face(points, (0.0, 0.0, 1.0, 1.0), 1.0)


@given(turns, scales, places, places)
def test_the_fit_undoes_any_similarity(turn: float, scale: float, x: float, y: float) -> None:
    way = Similarity(complex(scale * np.exp(1j * np.radians(turn))), complex(x, y))
    found = to_frame(way(POINTS))
    np.testing.assert_allclose(found(way(POINTS)), POINTS, atol=1e-6)
    np.testing.assert_allclose(found.back(POINTS), way(POINTS), atol=1e-6 * (1 + scale))


def test_the_fit_is_the_one_of_least_squares_and_leaves_the_nose_out() -> None:
    rng = np.random.default_rng(0)
    points = POINTS * 2 + rng.normal(0, 4, (5, 2))
    # Slowly: x' = a x - b y + c, y' = b x + a y + d, a row for each coordinate of eyes and mouth corners.
    four = points[[0, 1, 3, 4]]
    rows = [[x, -y, 1, 0] for x, y in four] + [[y, x, 0, 1] for x, y in four]
    wanted = POINTS[[0, 1, 3, 4]].T.ravel()
    a, b, c, d = np.linalg.lstsq(np.array(rows), wanted, rcond=None)[0]
    found = to_frame(points)
    np.testing.assert_allclose([found.factor, found.shift], [complex(a, b), complex(c, d)])
    points[2] += 50
    assert to_frame(points) == found


def test_points_in_one_place_are_refused() -> None:
    with pytest.raises(FairsalError, match="lie in one place"):
        to_frame(np.ones((5, 2)))


@pytest.mark.parametrize(("turn", "scale"), [(0, 1.3), (25, 0.7), (-30, 1.0), (12, 3.0)])
def test_a_turned_scaled_and_moved_face_comes_back(turn: float, scale: float) -> None:
    picture = portrait()
    factor = complex(scale * np.exp(1j * np.radians(turn)))
    way = Similarity(factor, complex(450, 400) * scale - factor * complex(89, 109))
    photo = moved(picture, way, (round(900 * scale), round(800 * scale)))
    (own,), (face,) = find_faces(picture), find_faces(photo)
    assert np.linalg.norm(way.back(face.points) - own.points, axis=1).mean() < 2
    aligned, outside = align_face(photo, face)
    assert aligned.size == FRAME
    assert outside.shape == FRAME[::-1] and not outside.any()
    expected, _ = align_face(picture.resize((356, 400)), face_at(own.points * [2, 400 / 218]))
    inner = np.s_[40:180, 30:150]
    apart = np.abs(np.asarray(aligned, dtype=float) - np.asarray(expected, dtype=float))[inner]
    assert apart.mean() < 16


def test_faces_come_largest_first_and_their_boxes_hold_their_points() -> None:
    scene = Image.new("RGB", (900, 500), "#778899")
    for number, side in enumerate((0.7, 1.5, 1.0)):
        scene.paste(portrait(3 + 2 * number).resize((round(178 * side), round(218 * side))), (20 + 290 * number, 90))
    faces = find_faces(scene)
    assert len(faces) == 3
    assert [face.area for face in faces] == sorted((face.area for face in faces), reverse=True)
    for face in faces:
        left, top, right, bottom = face.box
        assert face.points.shape == (5, 2)
        assert (face.points > [left, top]).all() and (face.points < [right, bottom]).all()
        assert 0.7 <= face.score <= 1
        left_eye, right_eye, nose, *mouth = face.points
        assert left_eye[0] < right_eye[0] and max(left_eye[1], right_eye[1]) < nose[1] < min(x[1] for x in mouth)
    assert 310 < faces[0].points[2, 0] < 577  # the largest one is in the middle


def test_no_face_is_an_empty_list() -> None:
    assert find_faces(Image.new("RGB", (300, 400), "tan")) == []
    assert find_faces(Image.new("L", (3, 3))) == []


def test_an_aligned_picture_is_not_touched() -> None:
    picture = Image.effect_noise(FRAME, 60).convert("RGB")
    aligned, outside = align_face(picture, face_at(POINTS * 3))
    assert aligned.tobytes() == picture.tobytes()
    assert outside.shape == (218, 178) and not outside.any()
    assert is_aligned(picture)


def test_the_square_of_an_aligned_picture_is_the_picture_squeezed() -> None:
    picture = Image.effect_noise(FRAME, 60).convert("RGB")
    pixels, outside = aligned_square(picture, face_at(POINTS * 3))
    assert np.array_equal(pixels, to_square(picture))
    assert outside is None
    moved_away = Image.effect_noise((500, 400), 60).convert("RGB")
    pixels, outside = aligned_square(moved_away, face_at(POINTS - 40))
    aligned, beyond = align_face(moved_away, face_at(POINTS - 40))
    assert np.array_equal(pixels, to_square(aligned))
    assert np.array_equal(outside, outside_of_square(beyond))


def test_one_whose_face_lies_where_the_frame_has_it_is_only_scaled() -> None:
    picture = Image.effect_noise((356, 436), 60).convert("RGB")
    there, elsewhere = face_at(POINTS * 2 + 3), face_at(POINTS * 2 + 30)
    assert is_aligned(picture, there)
    assert not is_aligned(picture, elsewhere)
    assert not is_aligned(picture)
    assert not is_aligned(picture.resize((436, 436)), there)
    aligned, outside = align_face(picture, there)
    assert aligned.tobytes() == picture.resize(FRAME, Image.Resampling.BICUBIC).tobytes()
    assert not outside.any()


@given(turns, st.floats(0.1, 4), places, places)
def test_what_is_not_from_the_photo_is_marked(turn: float, scale: float, x: float, y: float) -> None:
    """Slowly: a pixel is from the photo if its middle is."""
    width, height = 60, 90
    way = Similarity(complex(scale * np.exp(1j * np.radians(turn))), complex(x, y))
    _, outside = align_face(Image.new("RGB", (width, height), "red"), face_at(way.back(POINTS)))
    for row, column in ((0, 0), (0, 177), (217, 0), (217, 177), (109, 89), (112, 70), (153, 106)):
        across, down = way.back(np.array([column + 0.5, row + 0.5]))
        if min(abs(across), abs(across - width), abs(down), abs(down - height)) > 1e-6:
            assert outside[row, column] == (not (0 < across < width and 0 < down < height))


def test_filling_goes_on_with_the_edge_and_the_rest_is_the_photo() -> None:
    stripes = np.zeros((100, 80, 3), dtype=np.uint8)
    stripes[:, :40] = 250
    way = Similarity(1 + 0j, complex(50, 60))
    aligned, outside = align_face(Image.fromarray(stripes), face_at(way.back(POINTS)))
    expected = np.zeros((218, 178), dtype=bool)
    expected[:60] = expected[160:] = expected[:, :50] = expected[:, 130:] = True
    np.testing.assert_array_equal(outside, expected)
    given_back = np.asarray(aligned)
    np.testing.assert_allclose(given_back[60:160, 50:130].astype(int), stripes, atol=1)
    assert (given_back[:, :50] == 250).all() and (given_back[:, 130:] == 0).all()


def test_the_mask_covers_every_pixel_that_is_not_wholly_from_the_photo() -> None:
    aligned = np.zeros((218, 178), dtype=bool)
    assert outside_of_square(aligned) is None
    aligned[:50, :30] = True
    found = outside_of_square(aligned)
    assert found is not None and found.shape == (128, 128)
    assert found[: 50 * 128 // 218, : 30 * 128 // 178].all()
    assert not found[32:].any() and not found[:, 24:].any()
    np.testing.assert_array_equal(found[::2, ::2], found[1::2, 1::2])


def test_misplacement_is_the_mean_distance_of_eyes_and_mouth() -> None:
    assert misplacement(POINTS) == 0
    assert misplacement(POINTS + np.array([3, 4])) == pytest.approx(5)


def test_a_large_photo_is_averaged_before_it_is_turned() -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (2180, 1780, 3), dtype=np.uint8))
    way = Similarity(0.1 * np.exp(0.2j), 10 + 20j)
    aligned, outside = align_face(noise, face_at(way.back(POINTS)))
    assert np.asarray(aligned)[~outside].std() < 15  # 74 where each pixel is one of the photo's


@pytest.mark.real
def test_real_faces_come_back_within_two_pixels(celeba_sample: Path) -> None:
    from benchmarks.alignment import measure

    found = measure(celeba_sample / "img_align_celeba", count=40, seed=1)
    assert found["found"] >= 0.95
    assert found["mean_error"] < 2.0 and found["p95_error"] < 4.0
    assert found["plain_mean_error"] > found["mean_error"]
