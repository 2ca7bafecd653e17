"""Several folders as one set: read, packed and mapped as if they were one, and refused in one sentence where they do not fit."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    is_photographed_celeba,
    list_faces,
    load_celeba,
    load_faces,
    load_table,
    packed_folder,
    read_folder,
)
from fairsal_core.faces.watching import glance
from fairsal_core.home import cache_folder
from fairsal_core.regions import bundled_classifier
from fairsal_core.scaling import open_maps, stored_maps
from tests.conftest import MakeCeleba
from tests.helpers import folder_of_own

LABELS = "labels.parquet"


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """Each set in a workspace of its own."""


@pytest.fixture
def three(drawn_folder: Path, tmp_path: Path) -> Path:
    """The drawn faces in three folders of different sizes."""
    whole = load_celeba(drawn_folder)
    faces = replace(whole, attributes=whole.attributes[["Male", "Young", "Eyeglasses"]])
    for number, rows in enumerate((slice(0, 100), slice(100, 101), slice(101, None))):
        folder_of_own(tmp_path / "set" / f"part-{number}", faces, rows)
    (tmp_path / "set" / "sets.txt").write_text("# three of them\npart-*\n")
    return tmp_path / "set"


def test_folders_are_the_whole(three: Path, drawn_folder: Path) -> None:
    whole, faces = load_faces(str(drawn_folder)), load_faces(str(three))
    assert faces.names[[0, 100, 101]].tolist() == [
        f"part-{number}/img/{whole.names[row]}" for number, row in ((0, 0), (1, 100), (2, 101))
    ]
    for name in ("Male", "Young", "Eyeglasses"):
        assert (faces.labels(name) == whole.labels(name)).all()
    assert faces.split.tolist() == whole.split.tolist()
    assert np.array_equal(faces.images, whole.images)
    assert faces.identity is not None and faces.identity.nunique() == 7  # who has a name in two folders is one person
    assert list(faces.attributes) == ["Male", "Young", "Eyeglasses"] and not faces.notes


def test_maps_in_shards_over_the_folders_borders_are_those_of_one_folder(three: Path, drawn_folder: Path) -> None:
    found = []
    for root in (drawn_folder, three):
        faces = list_faces(str(root))
        whole = packed_folder(faces, cache_folder())
        path = stored_maps(bundled_classifier("Eyeglasses"), faces.take(np.arange(90, 120)), "margin", whole, size=16)
        found.append(open_maps(path)[0][:])
    assert np.array_equal(*found) and found[0].std() > 0


def test_what_one_folder_does_not_hold_is_known_from_the_others(drawn_folder: Path, tmp_path: Path) -> None:
    faces = load_celeba(drawn_folder)
    for number, race in enumerate((["Black"] * 8, ["White"] * 4 + [None] * 4, ["Indian", "White"] * 4)):
        root = folder_of_own(tmp_path / f"part-{number}", faces, slice(8 * number, 8 * number + 8))
        pd.read_parquet(root / LABELS).assign(race=race, Male=number == 1).to_parquet(root / LABELS, index=False)
    (tmp_path / "sets.txt").write_text("part-2\npart-0\npart-1\n")
    found = load_table(tmp_path)
    codes, names = found.classes("race")
    assert names == ("Black", "Indian", "White")
    assert codes.tolist() == [1, 2] * 4 + [0] * 8 + [2] * 4 + [-1] * 4
    assert found.labels("Male").tolist() == [False] * 16 + [True] * 8
    assert read_folder(tmp_path).mapping.format == "several"


def test_layouts_of_their_own_are_one_set_too(drawn_folder: Path, tmp_path: Path) -> None:
    for name in ("north", "south"):
        shutil.copytree(drawn_folder, tmp_path / name)
    with pytest.raises(FairsalError, match=r"holds several sets \(north, south\).*write their names into .*sets.txt"):
        load_table(tmp_path)
    (tmp_path / "sets.txt").write_text("north\nsouth\n")
    faces, one = load_table(tmp_path), load_table(drawn_folder)
    assert len(faces) == 2 * len(one) and faces.names[0] == f"north/{one.image_folder.name}/{one.names[0]}"
    for name in one.choices:
        assert (faces.labels(name) == np.tile(one.labels(name), 2)).all()
    assert read_folder(tmp_path).mapping.target == read_folder(drawn_folder).mapping.target


def test_several_folders_of_celeba_are_read_by_the_atlas_that_comes_with_fairsal(make_celeba: MakeCeleba) -> None:
    folders = [make_celeba(name, count=4) for name in ("a", "b")]
    (folders[0].parent / "sets.txt").write_text("a\nb\n")
    assert is_photographed_celeba(str(folders[0].parent)) and len(load_table(folders[0].parent)) == 8
    shutil.copytree(folders[0], folders[0].parent / "c")
    for file in (folders[0].parent / "c").glob("list_*"):
        file.unlink()
    (folders[0].parent / "c" / "labels.csv").write_text("image,Male\n")
    (folders[0].parent / "sets.txt").write_text("a\nc\n")
    assert not is_photographed_celeba(str(folders[0].parent))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "names no folder: write one a line"),
        ("part-0\nelsewhere\n", "line 2: there is no folder 'elsewhere'"),
        ("../set/part-0\n", "line 1: there is no folder '../set/part-0' in"),
        ("/etc\n", "line 1: there is no folder '/etc' in"),
        (".\n", r"line 1: there is no folder '\.' in"),
        ("**part\n", r"line 1: there is no folder '\*\*part' in"),
        ("part-0\npart-0/img\n", "names .*part-0.img, which lies in another of its folders"),
        ("part-0\nempty\n", "empty, which .* names, is in none of the layouts"),
        ("part-0\nother\n", "other has no column 'Young', which .*part-0 has"),
    ],
)
def test_what_does_not_fit_is_one_sentence(three: Path, content: str, said: str) -> None:
    (three / "empty").mkdir()
    shutil.copytree(three / "part-0", three / "other")
    pd.read_parquet(three / "other" / LABELS).drop(columns="Young").to_parquet(three / "other" / LABELS)
    (three / "sets.txt").write_text(content)
    with pytest.raises(FairsalError, match=said) as refused:
        load_table(three)
    assert "\n" not in str(refused.value)


def test_a_folder_behind_a_link_out_is_refused(three: Path, tmp_path: Path) -> None:
    shutil.move(three / "part-2", tmp_path / "outside")
    (three / "part-2").symlink_to(tmp_path / "outside")
    with pytest.raises(FairsalError, match="link out of the data folder"):
        load_table(three)


def test_a_list_behind_a_link_out_is_not_read(three: Path, tmp_path: Path) -> None:
    shutil.move(three / "sets.txt", tmp_path / "secret.txt")
    (three / "sets.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(FairsalError, match="is a link out of the data folder"):
        load_table(three)


def test_a_glance_sees_a_table_in_a_folder_change(three: Path) -> None:
    faces = list_faces(str(three))
    before = glance(faces)
    assert glance(faces) == before
    table = three / "part-1" / LABELS
    pd.read_parquet(table).assign(Young=True, more=1).to_parquet(table)
    assert glance(faces) != before
