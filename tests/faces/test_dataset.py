"""Parts of a set keep rows, labels and pixels together."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from tests.helpers import face_names, faces_in_memory, noise_images

SPLIT = ["train", "test", "train", "val", "train", "test", "train", "val"]


@pytest.fixture
def faces() -> FaceDataset:
    return faces_in_memory({"Male": [True, False] * 4, "Young": [True] * 8}, SPLIT, noise_images(8, size=4))


def test_the_whole_set_is_the_memory_map_itself(faces: FaceDataset) -> None:
    assert faces.images is faces.packed
    assert faces.take(range(8)).images is faces.packed
    assert faces.take([1, 0, *range(2, 8)]).images is not faces.packed


def test_take_keeps_everything_together(faces: FaceDataset) -> None:
    assert faces.packed is not None
    part = faces.take([6, 1, 6])
    assert part.names.tolist() == ["000007.jpg", "000002.jpg", "000007.jpg"]
    assert part.labels("Male").tolist() == [True, False, True]
    assert part.split.tolist() == ["train", "test", "train"]
    np.testing.assert_array_equal(part.images, faces.packed[[6, 1, 6]])


def test_what_lies_between_two_positions_is_what_take_gives(faces: FaceDataset) -> None:
    faces = replace(faces, stamps=np.arange(16).reshape(8, 2), identity=pd.Series(range(8), index=faces.names))
    for start, stop in ((0, 8), (2, 5), (6, 20), (8, 9)):
        some, taken = faces.between(start, stop), faces.take(range(start, max(start, min(stop, 8))))
        pd.testing.assert_frame_equal(some.attributes, taken.attributes)
        assert some.split.tolist() == taken.split.tolist() and some.names.tolist() == taken.names.tolist()
        assert some.identity is not None and taken.identity is not None
        assert some.identity.tolist() == taken.identity.tolist()
        for mine, theirs in ((some.stamps, taken.stamps), (some.rows, taken.rows), (some.images, taken.images)):
            np.testing.assert_array_equal(mine, theirs)  # type: ignore[arg-type]


def test_a_part_of_a_part(faces: FaceDataset) -> None:
    assert faces.packed is not None
    part = faces.take([7, 5, 3]).take([2, 0])
    assert part.names.tolist() == ["000004.jpg", "000008.jpg"]
    np.testing.assert_array_equal(part.images, faces.packed[[3, 7]])


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_in_split(faces: FaceDataset, split: str) -> None:
    part = faces.in_split(split)
    assert part.names.tolist() == [name for name, where in zip(face_names(8), SPLIT, strict=True) if where == split]
    assert set(part.split) == {split}


def test_an_unknown_split_or_attribute_names_the_nearest(faces: FaceDataset) -> None:
    with pytest.raises(FairsalError, match="no split 'trian'; did you mean 'train'"):
        faces.in_split("trian")
    with pytest.raises(FairsalError, match="no attribute 'male'; did you mean 'Male'"):
        faces.labels("male")


def test_labels_are_plain_booleans(faces: FaceDataset) -> None:
    assert faces.labels("Male").dtype == np.bool_


def test_samples_are_seeded_ordered_and_without_repeats(faces: FaceDataset) -> None:
    first, again, other = (faces.sample(5, seed).names.tolist() for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(set(first))
    assert len(first) == 5


def test_a_sample_larger_than_the_set_is_the_set(faces: FaceDataset) -> None:
    assert faces.sample(8) is faces
    assert faces.sample(100) is faces


def test_pixels_before_packing_are_an_error() -> None:
    with pytest.raises(FairsalError, match="'memory' are not packed yet"):
        _ = faces_in_memory({"Male": [True]}).images


def test_identities_follow(faces: FaceDataset) -> None:
    from dataclasses import replace

    known = replace(faces, identity=pd.Series(range(8), index=faces.names, dtype="Int64"))
    identity = known.take([5, 2]).identity
    assert identity is not None
    assert identity.tolist() == [5, 2]
