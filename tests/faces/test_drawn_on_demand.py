"""Drawn faces that are not there yet, against the packed files."""

import hashlib

import pytest

from fairsal_core.drawing import demo_folder
from fairsal_core.faces import FaceDataset, balanced_test, drawn_on_demand, list_labels


@pytest.fixture
def undrawn(home: object) -> FaceDataset:
    faces = drawn_on_demand(list_labels("demo"))
    assert not demo_folder().exists()
    return faces


def test_pixels_and_digests_are_those_of_the_files(undrawn: FaceDataset, drawn: FaceDataset) -> None:
    some = ["000001.jpg", "000104.jpg", "000017.jpg"]
    there = drawn.take(drawn.names.get_indexer(some))
    wanted = undrawn.take(undrawn.names.get_indexer(some))
    assert (wanted.images == there.images).all()
    contents = [(there.image_folder / name).read_bytes() for name in some]
    assert [bytes(each) for each in wanted.file_digests] == [hashlib.sha256(each).digest() for each in contents]
    assert wanted.labels("Male").tolist() == there.labels("Male").tolist()


def test_no_face_is_drawn_that_nobody_wants(undrawn: FaceDataset) -> None:
    assert undrawn.take([]).images.shape == (0, 128, 128, 3)
    assert undrawn.take([]).file_digests.shape == (0, 32)
    assert len(undrawn.readable) == len(undrawn) > 1000
    assert len(balanced_test(undrawn, "Male", "Blond_Hair", 2)) == 8
    assert undrawn.packed[3].shape == (128, 128, 3)
    assert (undrawn.packed[3:5][0] == undrawn.packed[3]).all()
