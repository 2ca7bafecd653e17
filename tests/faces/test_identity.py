"""What is made of faces is known by their pictures and their labels, and not by where or when they lie."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fairsal_core import versions
from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    FaceDataset,
    data_digest,
    draw_fairface,
    have_changed,
    labels_digest,
    list_faces,
    load_celeba,
    pack,
    pixels_digest,
)
from tests.conftest import MakeCeleba
from tests.helpers import faces_in_memory, noise_images


@pytest.fixture
def faces(make_celeba: MakeCeleba, tmp_path: Path) -> FaceDataset:
    return pack(load_celeba(make_celeba(count=12)), tmp_path / "cache")


def overwrite(picture: Path) -> None:
    """Put a white picture in a file, of the same length."""
    length = picture.stat().st_size
    Image.new("RGB", (178, 218), "white").save(picture)
    picture.write_bytes(picture.read_bytes().ljust(length, b"\0"))


def test_a_copied_folder_holds_the_same_pictures(faces: FaceDataset, tmp_path: Path) -> None:
    shutil.copytree(faces.root, tmp_path / "copy")
    copy = pack(load_celeba(tmp_path / "copy"), tmp_path / "cache")
    assert pixels_digest(copy) == pixels_digest(faces)
    assert data_digest(copy, "Male") == data_digest(faces, "Male")


def test_other_pictures_rows_or_order_are_others(faces: FaceDataset, tmp_path: Path) -> None:
    overwrite(faces.image_folder / "000004.jpg")
    changed = pack(load_celeba(faces.root), tmp_path / "cache")
    assert len(changed) == len(faces)
    parts = [changed, faces.take(range(11)), faces.take(range(11, -1, -1)), pack(faces, tmp_path / "small", 32)]
    assert len({pixels_digest(each) for each in (faces, *parts)}) == 5
    others = [row for row in range(12) if row != 3]
    assert pixels_digest(changed.take(others)) == pixels_digest(faces.take(others))


def test_other_packing_is_another(faces: FaceDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pixels_digest(faces)
    monkeypatch.setitem(versions.STAGES, "packing", 999)  # type: ignore[arg-type]
    assert pixels_digest(faces) != before


def test_labels_and_splits_count_where_they_are_used(faces: FaceDataset) -> None:
    flipped = replace(faces, attributes=faces.attributes.assign(Male=~faces.attributes["Male"]))
    assert labels_digest(flipped, "Male") != labels_digest(faces, "Male")
    assert labels_digest(flipped, "Smiling") == labels_digest(faces, "Smiling")
    moved = replace(faces, split=faces.split.where(faces.split != "val", "test"))
    assert labels_digest(moved, "Smiling") != labels_digest(faces, "Smiling")
    assert pixels_digest(flipped) == pixels_digest(moved) == pixels_digest(faces)
    assert len({data_digest(each, "Male") for each in (faces, flipped, moved)}) == 3


def test_classes_count_by_name(tmp_path: Path) -> None:
    faces = list_faces(str(draw_fairface(tmp_path / "fairface", count=12)))
    renamed = faces.attributes["gender"].cat.rename_categories({"Male": "Man"})
    other = replace(faces, attributes=faces.attributes.assign(gender=renamed))
    assert labels_digest(other, "gender") != labels_digest(faces, "gender")


def test_faces_without_files_are_known_by_their_pixels() -> None:
    images = noise_images(4)
    digests = {pixels_digest(faces_in_memory({"Male": [True] * 4}, images=each)) for each in (images, images[::-1])}
    assert len(digests) == 2
    with pytest.raises(FairsalError, match="are not packed yet"):
        pixels_digest(faces_in_memory({"Male": [True] * 4}))


def test_a_picture_overwritten_in_place_is_packed_anew(faces: FaceDataset, tmp_path: Path) -> None:
    assert not have_changed(faces)
    before = np.array(faces.images)
    overwrite(faces.image_folder / "000004.jpg")
    assert have_changed(faces)
    after = pack(load_celeba(faces.root), tmp_path / "cache").images
    assert (after[3] > 250).all()
    np.testing.assert_array_equal(np.delete(after, 3, axis=0), np.delete(before, 3, axis=0))


def test_pictures_that_come_to_fairface_later_are_packed(tmp_path: Path) -> None:
    folder = draw_fairface(tmp_path / "fairface", count=12)
    kept = tmp_path / "kept.jpg"
    (folder / "train" / "2.jpg").rename(kept)
    assert len(pack(list_faces(str(folder)), tmp_path / "cache")) == 11
    kept.rename(folder / "train" / "2.jpg")
    whole = pack(list_faces(str(folder)), tmp_path / "cache")
    assert len(whole) == 12
    overwrite(folder / "train" / "1.jpg")
    assert (pack(list_faces(str(folder)), tmp_path / "cache").images[0] > 250).all()


def test_classes_and_missing_labels_are_told_apart(faces: FaceDataset) -> None:
    race = pd.Categorical(["Black", "White", "Asian"] * 4)
    male = faces.attributes["Male"].astype("boolean")
    several = replace(faces, attributes=faces.attributes.assign(race=race, Male=male))
    lacking = replace(several, attributes=several.attributes.assign(Male=male.mask(np.arange(12) == 3, pd.NA)))
    named = ("race", "race=Black", "race=White", "race=Black vs White")
    assert len({labels_digest(several, name) for name in named}) == len(named)
    assert labels_digest(several, "Male") == labels_digest(faces, "Male") != labels_digest(lacking, "Male")
    other = replace(several, attributes=several.attributes.assign(race=race[::-1]))
    assert labels_digest(other, "race=Black") != labels_digest(several, "race=Black")
