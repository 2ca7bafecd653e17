"""FairFace's layout, with drawn faces in the place of its own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.drawing import draw_face
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import CellCounts, draw_fairface, list_faces, load_faces, load_fairface, pack
from fairsal_core.faces.fairface import CLASSES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_fairface(tmp_path_factory.mktemp("fairface") / "fairface", count=30, seed=0)


def test_the_labels_are_categorical(folder: Path) -> None:
    faces = load_fairface(folder)
    assert len(faces) == 30
    assert faces.split.value_counts().to_dict() == {"train": 24, "val": 6, "test": 0}
    assert faces.classes("age")[1] == CLASSES["age"]
    assert faces.classes("gender")[1] == ("Male", "Female")
    assert len(faces.classes("race")[1]) <= 7
    assert faces.binary_attributes == []
    table = pd.read_csv(folder / "fairface_label_train.csv").set_index("file")
    codes, names = faces.classes("race")
    for name, code in zip(faces.names[:24], codes, strict=False):
        assert names[code] == table.at[name, "race"]


def test_pictures_and_labels_belong_together(folder: Path, tmp_path: Path) -> None:
    faces = pack(load_fairface(folder), tmp_path)
    codes, names = faces.classes("gender")
    drawn = list(range(1, 31))
    first = faces.images[0].astype(float)
    distances = [
        np.abs(np.asarray(draw_face(0, index).image.resize((128, 128)), float) - first).mean() for index in drawn
    ]
    assert names[codes[0]] == (
        "Male" if draw_face(0, drawn[int(np.argmin(distances))]).attributes["Male"] else "Female"
    )
    assert min(distances) < 6


def test_any_source_is_recognised_by_its_files(folder: Path) -> None:
    assert load_faces(str(folder)).binary_attributes == []


def test_a_categorical_attribute_is_not_binary(folder: Path) -> None:
    with pytest.raises(FairsalError, match=r"'gender' has classes \(Male, Female\); a binary attribute is needed"):
        load_fairface(folder).labels("gender")


def test_nothing_remains_of_a_drawing_that_was_stopped(tmp_path: Path) -> None:
    def stop(done: float, total: float, message: str = "") -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        draw_fairface(tmp_path / "set", count=3, progress=stop)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "set").mkdir()
    with pytest.raises(FairsalError, match="exists already"):
        draw_fairface(tmp_path / "set", count=3)


def write_tables(folder: Path, train: str | None, val: str) -> None:
    """Write the two tables, and two pictures for each split."""
    for split, table in (("train", train), ("val", val)):
        (folder / split).mkdir()
        for number in (1, 2):
            draw_face(0, number).image.save(folder / split / f"{number}.jpg")
        if table is not None:
            (folder / f"fairface_label_{split}.csv").write_text(table)


GOOD = "file,age,gender,race,service_test\ntrain/1.jpg,3-9,Male,Indian,True\n"


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (None, "no FairFace folder: fairface_label_train.csv is missing"),
        ("", "does not read as CSV"),
        ("file,age,gender\ntrain/1.jpg,3-9,Male\n", "line 1: the column race is missing"),
        ("file,age,gender,race\n", "lists no images"),
        ("file,age,gender,race\n../../etc/1.jpg,3-9,Male,Indian\n", "which is not a file in train/"),
        ("file,age,gender,race\nval/1.jpg,3-9,Male,Indian\n", "which is not a file in train/"),
        (GOOD + "train/1.jpg,3-9,Male,Indian,True\n", "lists train/1.jpg more than once"),
    ],
)
def test_tables_that_are_wrong(tmp_path: Path, train: str | None, sentence: str) -> None:
    write_tables(tmp_path, train, GOOD.replace("train/", "val/"))
    with pytest.raises(FairsalError, match=sentence):
        load_fairface(tmp_path)


def test_classes_that_fairface_does_not_have_are_kept(tmp_path: Path) -> None:
    write_tables(tmp_path, GOOD + "train/2.jpg,3-9,Male,Martian,True\n", GOOD.replace("train/", "val/"))
    assert load_fairface(tmp_path).classes("race")[1] == ("Indian", "Martian")


def test_a_missing_class_is_missing(tmp_path: Path) -> None:
    write_tables(tmp_path, GOOD + "train/2.jpg,,Female,Black,True\n", GOOD.replace("train/", "val/"))
    faces = load_fairface(tmp_path)
    assert faces.labelled("age").tolist() == [True, False, True]
    assert faces.classes("age")[0].tolist() == [1, -1, 1]
    assert any("missing (age 1)" in note for note in faces.notes)


def test_a_class_against_the_rest_and_two_classes_are_binary(folder: Path) -> None:
    faces = load_fairface(folder)
    codes, names = faces.classes("race")
    first, second = names[codes[0]], next(names[code] for code in codes if code != codes[0])
    assert faces.labels(f"race={first}").tolist() == (codes == codes[0]).tolist()
    assert faces.labels("gender=Female").tolist() == (~faces.labels("gender=Male")).tolist()
    pair = f"race={first} vs {second}"
    assert faces.labelled(pair).tolist() == [names[code] in (first, second) for code in codes]
    assert faces.with_label(pair).labels(pair)[0]
    assert faces.classes(pair)[1] == (f"race={second}", f"race={first}")
    with pytest.raises(FairsalError, match="faces have no label"):
        faces.labels(pair)
    counts = CellCounts.of(faces, pair, "gender=Female")
    assert counts.total == faces.labelled(pair).sum() < len(faces)
    assert set(faces.choices) >= {"gender=Male", "gender=Female", f"race={first}"}


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [
        ("race=Blakc", "There is no class of race 'Blakc'"),
        ("gender=Male vs Femal", "There is no class of gender 'Femal'; did you mean 'Female'"),
        ("gender=Male vs Male", "names the class 'Male' twice"),
        ("colour=red", "There is no attribute 'colour=red'"),
        ("gender", r"binary attribute is needed here, such as 'gender=Male'"),
    ],
)
def test_classes_that_are_not_there(folder: Path, attribute: str, sentence: str) -> None:
    with pytest.raises(FairsalError, match=sentence):
        load_fairface(folder).labels(attribute)


def test_classes_of_one_column_are_no_target_and_confounder(folder: Path) -> None:
    with pytest.raises(FairsalError, match="are both read from 'gender'"):
        CellCounts.of(load_fairface(folder), "gender=Male", "gender=Female")


def test_half_of_the_validation_faces_are_the_test_split(folder: Path) -> None:
    faces = list_faces(str(folder))
    assert faces.split.value_counts().to_dict() == {"train": 24, "val": 3, "test": 3}
    assert any("half of its validation faces are one" in note for note in faces.notes)
    assert list_faces(str(folder)).split.equals(faces.split)
