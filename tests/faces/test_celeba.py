"""CelebA folders as they are found in the wild, whole and damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import CellCounts, load_celeba, pack, part_mask
from tests.conftest import MakeCeleba
from tests.helpers import face_names

ATTRIBUTES, PARTITION = "list_attr_celeba", "list_eval_partition"


def rewrite(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_both_layouts_give_the_same(make_celeba: MakeCeleba) -> None:
    text, csv = load_celeba(make_celeba("text")), load_celeba(make_celeba("csv", layout="csv"))
    pd.testing.assert_frame_equal(text.attributes, csv.attributes)
    pd.testing.assert_series_equal(text.split, csv.split)
    assert text.names.tolist() == face_names(6)
    assert text.labels("Male").tolist() == [True, False] * 3
    assert text.split.tolist() == ["train", "val", "test"] * 2
    assert text.attributes.dtypes.eq(bool).all()


def test_the_name_and_folders_of_a_set(make_celeba: MakeCeleba) -> None:
    root = make_celeba("my-faces")
    (root / "parts").mkdir()
    faces = load_celeba(str(root))
    assert (faces.name, faces.root, faces.parts_folder) == ("my-faces", root, root / "parts")
    assert faces.image_folder == root / "img_align_celeba"
    assert faces.packed is None


def test_kaggle_nests_the_image_folder(make_celeba: MakeCeleba) -> None:
    root = make_celeba(layout="csv")
    assert load_celeba(root).image_folder == root / "img_align_celeba" / "img_align_celeba"


def test_rows_come_in_the_order_of_the_attribute_file(make_celeba: MakeCeleba) -> None:
    root = make_celeba()
    path = root / f"{PARTITION}.txt"
    path.write_text("\n".join(reversed(path.read_text().splitlines())))
    assert load_celeba(root).split.tolist() == ["train", "val", "test"] * 2


def test_extra_lines_in_the_partition_are_no_mistake(make_celeba: MakeCeleba) -> None:
    root = make_celeba()
    with (root / f"{PARTITION}.txt").open("a") as file:
        file.write("999999.jpg 0\n")
    assert len(load_celeba(root)) == 6


@pytest.mark.parametrize("layout", ["txt", "csv"])
def test_byte_order_mark_and_windows_line_ends(make_celeba: MakeCeleba, layout: str) -> None:
    root = make_celeba(layout=layout)
    before = load_celeba(root)
    for path in root.glob(f"*.{layout}"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    after = load_celeba(root)
    pd.testing.assert_frame_equal(before.attributes, after.attributes)
    pd.testing.assert_series_equal(before.split, after.split)


def test_identities_are_optional_and_may_be_incomplete(make_celeba: MakeCeleba) -> None:
    assert load_celeba(make_celeba("without")).identity is None
    identity = load_celeba(make_celeba("with", identity={"000002.jpg": 7, "000001.jpg": 5})).identity
    assert identity is not None
    assert identity.index.tolist() == face_names(6)
    assert identity.iloc[:2].tolist() == [5, 7]
    assert identity.iloc[2:].isna().all()


def test_identities_given_twice(make_celeba: MakeCeleba) -> None:
    root = make_celeba(identity={"000001.jpg": 5})
    with (root / "identity_CelebA.txt").open("a") as file:
        file.write("000001.jpg 6\n")
    with pytest.raises(FairsalError, match=r"identity_CelebA\.txt, line 2 lists 000001\.jpg more than once"):
        load_celeba(root)


@pytest.mark.parametrize("missing", [f"{ATTRIBUTES}.txt", "img_align_celeba"])
def test_what_is_missing_is_named(make_celeba: MakeCeleba, missing: str) -> None:
    root = make_celeba()
    path = root / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(FairsalError, match=missing):
        load_celeba(root)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FairsalError, match="There is no folder"):
        load_celeba(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (ATTRIBUTES, "6\n", "six\n", "line 1: expected the number of images"),
        (ATTRIBUTES, "6\nMale Blond_Hair Smiling", "6\nMale Smiling", "line 3: expected a file name and 2 labels"),
        (ATTRIBUTES, "Male Blond_Hair", "Male Male", "names the attribute Male more than once"),
        (ATTRIBUTES, "000002.jpg -1", "000002.jpg  2", r"'Male' of 000002\.jpg is 2, but attributes are -1 or 1"),
        (ATTRIBUTES, "000002.jpg -1", "000002.jpg 300", r"'Male' of 000002\.jpg is 300"),
        (ATTRIBUTES, "000002.jpg -1", "000002.jpg  x", "line 4: 'Male' of 000002\\.jpg is x"),
        (ATTRIBUTES, "000002.jpg", "000001.jpg", r"lists 000001\.jpg more than once"),
        (ATTRIBUTES, "000002.jpg", "../../etc/passwd", r"names '\.\./\.\./etc/passwd', which is not a file in"),
        (ATTRIBUTES, "000002.jpg", "..\\000002.jpg", "which is not a file in the image folder"),
        (PARTITION, "000002.jpg 1\n", "", r"has no line for 000002\.jpg \(1 of 6 images missing\)"),
        (PARTITION, "000002.jpg 1", "000002.jpg 3", r"000002\.jpg is in split 3, but splits are 0"),
        (PARTITION, "000002.jpg 1", "000002.jpg one", "line 2: expected a file name and a number"),
        (PARTITION, "000002.jpg 1", "000002.jpg 1 1", "line 2: expected a file name and a number"),
        (PARTITION, "000002.jpg", "000001.jpg", r"lists 000001\.jpg more than once"),
    ],
)
def test_mistakes_in_text_files(make_celeba: MakeCeleba, file: str, old: str, new: str, message: str) -> None:
    root = make_celeba()
    rewrite(root / f"{file}.txt", old, new)
    with pytest.raises(FairsalError, match=f"{file}.*{message}"):
        load_celeba(root)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (ATTRIBUTES, "000002.jpg,-1", "000002.jpg,0", r"'Male' of 000002\.jpg is 0"),
        (ATTRIBUTES, "000002.jpg,-1", ",-1", "a line has no image_id"),
        (ATTRIBUTES, "000002.jpg", "a/../b.jpg", "names 'a/../b.jpg'"),
        (ATTRIBUTES, "000002.jpg,", "000002.jpg,1,1,1,", "does not read as CSV"),
        (PARTITION, "000002.jpg,1", "000002.jpg,9", r"000002\.jpg is in split 9"),
    ],
)
def test_mistakes_in_csv_files(make_celeba: MakeCeleba, file: str, old: str, new: str, message: str) -> None:
    root = make_celeba(layout="csv")
    rewrite(root / f"{file}.csv", old, new)
    with pytest.raises(FairsalError, match=f"{file}.*{message}"):
        load_celeba(root)


@pytest.mark.parametrize("shorter", [lambda name: name.removesuffix(".jpg"), lambda name: str(int(name[:6]))])
def test_names_without_ending_or_zeros_are_those_of_the_pictures(
    make_celeba: MakeCeleba, shorter: Callable[[str], str]
) -> None:
    root = make_celeba(layout="csv")
    before = load_celeba(root)
    for path in root.glob("*.csv"):
        text = path.read_text()
        for name in face_names(6):
            text = text.replace(name, shorter(name))
        path.write_text(text)
    after = load_celeba(root)
    pd.testing.assert_frame_equal(after.attributes, before.attributes)
    pd.testing.assert_series_equal(after.split, before.split)


def test_a_wrong_count_is_said_and_all_lines_are_read(make_celeba: MakeCeleba) -> None:
    root = make_celeba()
    rewrite(root / f"{ATTRIBUTES}.txt", "6\n", "202599\n")
    faces = load_celeba(root)
    assert len(faces) == 6
    assert faces.notes == (
        "list_attr_celeba.txt, line 1 promises 202,599 images, but the file lists 6; those were read.",
    )


def test_without_a_partition_a_split_is_drawn_and_said(make_celeba: MakeCeleba) -> None:
    root = make_celeba(count=60)
    (root / f"{PARTITION}.txt").unlink()
    faces = load_celeba(root)
    assert faces.split.value_counts().to_dict() == {"train": 48, "val": 6, "test": 6}
    assert "No split is given: one was drawn" in faces.notes[0]
    pd.testing.assert_series_equal(load_celeba(root).split, faces.split)


def test_a_drawn_split_keeps_persons_together(make_celeba: MakeCeleba) -> None:
    who = {name: number // 3 for number, name in enumerate(face_names(60))}
    root = make_celeba(count=60, identity=who)
    (root / f"{PARTITION}.txt").unlink()
    faces = load_celeba(root)
    assert faces.identity is not None
    assert faces.split.groupby(faces.identity.to_numpy()).nunique().eq(1).all()
    assert faces.split.nunique() == 3


@pytest.mark.parametrize(
    ("layout", "old", "new"), [("csv", "000002.jpg,-1", "000002.jpg,"), ("txt", "000002.jpg -1", "000002.jpg nan")]
)
def test_a_missing_label_is_missing_and_no_other(make_celeba: MakeCeleba, layout: str, old: str, new: str) -> None:
    root = make_celeba(layout=layout)
    rewrite(root / f"{ATTRIBUTES}.{layout}", old, new)
    faces = load_celeba(root)
    assert faces.labelled("Male").tolist() == [True, False, True, True, True, True]
    assert faces.with_label("Male").labels("Male").tolist() == [True, True, False, True, False]
    assert "Male" in faces.binary_attributes
    assert faces.classes("Male")[0].tolist() == [1, -1, 1, 0, 1, 0]
    with pytest.raises(FairsalError, match="1 of 6 faces have no label 'Male'"):
        faces.labels("Male")
    counts = CellCounts.of(faces, "Male", "Smiling")
    assert counts.total == 5
    assert [note for note in faces.notes if "missing (Male 1)" in note]


def test_rows_without_a_picture_are_one_sentence(make_celeba: MakeCeleba) -> None:
    root = make_celeba()
    (root / "img_align_celeba" / "000004.jpg").unlink()
    (root / "img_align_celeba" / "more.jpg").write_bytes(b"")
    faces = load_celeba(root)
    assert len(faces) == 5
    assert faces.notes == (
        "1 of 6 rows of list_attr_celeba.txt have no picture here (such as 000004.jpg): left out.",
        "1 of 6 pictures have no row in list_attr_celeba.txt: left out.",
    )


def test_two_pictures_of_one_name_are_refused(make_celeba: MakeCeleba) -> None:
    root = make_celeba(layout="csv")
    (root / f"{ATTRIBUTES}.csv").write_text((root / f"{ATTRIBUTES}.csv").read_text().replace(".jpg", ""))
    images = root / "img_align_celeba" / "img_align_celeba"
    (images / "000002.png").write_bytes((images / "000002.jpg").read_bytes())
    with pytest.raises(
        FairsalError, match=r"'000002' could be 000002\.jpg or 000002\.png: write the folder and the ending"
    ):
        load_celeba(root)


def test_a_set_without_images_is_refused(make_celeba: MakeCeleba) -> None:
    root = make_celeba()
    (root / f"{ATTRIBUTES}.txt").write_text("0\nMale Smiling\n")
    with pytest.raises(FairsalError, match="lists no images"):
        load_celeba(root)


def test_binary_rubbish_is_refused(make_celeba: MakeCeleba) -> None:
    root = make_celeba()
    (root / f"{ATTRIBUTES}.txt").write_bytes(np.random.default_rng(0).bytes(2000))
    with pytest.raises(FairsalError, match="line 1"):
        load_celeba(root)


# ---- the real sample


@pytest.mark.real
def test_the_sample_has_what_its_readme_says(celeba_sample: Path) -> None:
    faces = load_celeba(celeba_sample)
    assert len(faces) == 11_105
    assert faces.split.value_counts().to_dict() == {"train": 9842, "val": 654, "test": 609}
    assert len(faces.attributes.columns) == 40
    assert faces.identity is not None
    assert not faces.identity.isna().any()
    # Men without / women with / women without / men with. Faces serve several attributes, so the common cells hold
    # more than the README lists; the rare ones, which no other attribute fills, are exact.
    expected = {
        "Blond_Hair": (3000, 2000, 1500, 202),
        "Smiling": (3000, 2000, 1500, 1500),
        "Eyeglasses": (3000, 328, 1500, 1357),
        "Wearing_Hat": (3000, 367, 1500, 854),
        "Wearing_Necktie": (3000, 8, 1500, 1500),
    }
    for confounder, listed in expected.items():
        counts = CellCounts.of(faces.in_split("train"), "Male", confounder)
        found = (counts.target_without, counts.other_with, counts.other_without, counts.target_with)
        for least, number in zip(listed, found, strict=True):
            assert number == least if least < 1500 else number >= least, confounder


@pytest.mark.real
def test_the_sample_packs_and_its_part_masks_read(celeba_sample: Path, tmp_path: Path) -> None:
    faces = load_celeba(celeba_sample)
    some = pack(faces.take(np.arange(0, 50)), tmp_path)
    assert some.images.shape == (50, 128, 128, 3)
    assert some.images.std(axis=(1, 2, 3)).min() > 5
    masks = [part_mask(faces, path.name, "Blond_Hair") for path in sorted((celeba_sample / "parts").glob("*.png"))[:10]]
    assert all(mask.shape == (128, 128) for mask in masks)
    assert sum(bool(mask.any()) for mask in masks) >= 8
