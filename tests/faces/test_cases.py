"""The forms in which face data circulates: every label of every picture right, or one sentence."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, frame_notice, load_table, pack
from tests.faces.bounds import one_sentence

MAKER = "make_folder_cases.py"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "cases"
SPLITS = {"0": "train", "1": "val", "2": "test"}
# What cannot be read right, and what is said of it.
REFUSED = {
    "c25_zip_not_unpacked": r"img_align_celeba\.zip .* `fairsal data unpack ",
    "c28_quota_html": r"list_attr_celeba\.txt, line 1: this is a web page, not a table.*fetch the file again",
    "c39_partition_subset": r"list_eval_partition\.txt has no line for .*\.jpg \(30 of 60 images missing\): add them, or move",
}
OWN_NAMES = {"hat": "Wearing_Hat", "glasses": "Eyeglasses", "smiling": "Smiling", "male": "Male"}
COMPANY = {"Hat/Cap": "Wearing_Hat", "glasses": "Eyeglasses", "is male": "Male"}
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
RACES = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
RACES_4 = ("White", "Black", "Asian", "Indian")
UTK_RACES = ("White", "Black", "Asian", "Indian", "Others")


def maker() -> Path | None:
    folder = Path(os.environ.get("FAIRSAL_CASES", BESIDE))
    return folder / MAKER if (folder / MAKER).is_file() else None


def case_names() -> list[str]:
    script = maker()
    return re.findall(r"^@case\ndef (\w+)", script.read_text(encoding="utf-8"), re.MULTILINE) if script else []


class Source:
    """The faces that the cases are made of, read here by hand."""

    def __init__(self, cases: Path) -> None:
        folder = cases / "c01_official"
        _, columns, *rows = (folder / "list_attr_celeba.txt").read_text().splitlines()
        self.columns = columns.split()
        self.names = [row.split()[0] for row in rows]
        self.labels = pd.DataFrame([[int(x) > 0 for x in row.split()[1:]] for row in rows], self.names, self.columns)
        parts = (line.split() for line in (folder / "list_eval_partition.txt").read_text().splitlines())
        self.split = {name: SPLITS[number] for name, number in parts}
        images = folder / "img_align_celeba"
        self.of_content = {digest(images / name): name for name in self.names}

    def name_of(self, faces: FaceDataset, file: str) -> str:
        """Return which of the faces a picture shows."""
        same = self.of_content.get(digest(faces.image_folder / file))
        return same or f"{Path(file).stem}.jpg"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory, drawn_folder: Path) -> Path:
    script = maker()
    assert script is not None
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(script), str(folder), str(drawn_folder), "60"], check=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def source(cases: Path) -> Source:
    return Source(cases)


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """Each case in a workspace of its own."""


def number_of(file: str) -> int:
    return int(Path(file).stem)


def check_celeba(faces: FaceDataset, source: Source, names: list[str]) -> None:
    """All forty labels and the split, as CelebA's."""
    assert list(faces.attributes) == source.columns
    truth = source.labels.loc[names]
    for column in source.columns:
        known = faces.labelled(column)
        assert known.sum() >= len(faces) - 1
        assert (faces.with_label(column).labels(column) == truth[column].to_numpy()[known]).all(), column


def check_split(faces: FaceDataset, source: Source, names: list[str]) -> None:
    assert faces.split.tolist() == [source.split[name] for name in names]


Check = Callable[[FaceDataset, Source], None]


def by_content(count: int, split: bool = True) -> Check:
    def check(faces: FaceDataset, source: Source) -> None:
        names = [source.name_of(faces, file) for file in faces.names]
        assert len(set(names)) == len(faces) == count
        check_celeba(faces, source, names)
        if split:
            check_split(faces, source, names)
        else:
            assert set(faces.split) == {"train", "val", "test"}
            assert any("drawn" in note for note in faces.notes)

    return check


def by_number(split: bool) -> Check:
    def check(faces: FaceDataset, source: Source) -> None:
        names = [source.names[number_of(file)] for file in faces.names]
        assert len(faces) == 60
        check_celeba(faces, source, names)
        if split:
            check_split(faces, source, names)
        else:
            assert any("drawn" in note for note in faces.notes)

    return check


def renamed(columns: dict[str, str]) -> Check:
    def check(faces: FaceDataset, source: Source) -> None:
        names = [source.name_of(faces, file) for file in faces.names]
        assert len(faces) == 60
        assert list(faces.attributes) == list(columns)
        for own, original in columns.items():
            assert (faces.labels(own) == source.labels.loc[names, original].to_numpy()).all()
        check_split(faces, source, names)

    return check


def a_hole(faces: FaceDataset, source: Source) -> None:
    by_content(60)(faces, source)
    holes = np.argwhere(faces.attributes.isna().to_numpy())
    assert holes.tolist() == [[4, 2]]  # the fifth line after the header, the fourth field
    assert any("missing" in note for note in faces.notes)


def subset(faces: FaceDataset, source: Source) -> None:
    by_content(20)(faces, source)
    assert [note for note in faces.notes if "have no picture" in note] == [
        f"40 of 60 rows of list_attr_celeba.txt have no picture here (such as {source.names[1]}): left out."
    ]


def utkface(faces: FaceDataset, source: Source) -> None:
    assert len(faces) == 61
    codes = {name: faces.classes(name) for name in ("age", "gender", "race")}
    for row, file in enumerate(faces.names):
        said = {name: names[number[row]] if number[row] >= 0 else None for name, (number, names) in codes.items()}
        if file.startswith("61_3_2017"):
            assert said == {"age": "60-69", "gender": None, "race": None}
            continue
        age = int(file.split("_")[0])
        name = source.names[age - 20]
        starts = (0, 3, 10, 20, 30, 40, 50, 60, 70)
        assert said == {
            "age": AGES[sum(age >= start for start in starts) - 1],
            "gender": "Male" if source.labels.loc[name, "Male"] else "Female",
            "race": UTK_RACES[(age - 20) % 5],
        }


def fairface(
    ages: tuple[str, ...] = AGES,
    races: tuple[str, ...] = RACES,
    genders: tuple[str, str] = ("Male", "Female"),
    splits: tuple[str, ...] = ("train", "val"),
) -> Check:
    def check(faces: FaceDataset, source: Source) -> None:
        assert len(faces) == sum({"train": 40, "val": 20}[split] for split in splits)
        assert sorted(set(faces.split)) == list(splits)
        codes = {name: faces.classes(name) for name in ("age", "gender", "race")}
        for row, file in enumerate(faces.names):
            split, number = Path(file).parent.name, number_of(file)
            name = source.names[number - 1 + (40 if split == "val" else 0)]
            assert faces.split.iloc[row] == split
            assert {each: names[of[row]] for each, (of, names) in codes.items()} == {
                "age": ages[number % len(ages)],
                "gender": genders[0 if source.labels.loc[name, "Male"] else 1],
                "race": races[number % len(races)],
            }

    return check


NUMBERS = tuple(map(str, range(9)))
CHECKS: dict[str, Check] = {
    "c13_subset_images_full_table": subset,
    "c20_missing_partition": by_content(60, split=False),
    "c40_partition_full_attr_subset": by_content(30),
    "c41_only_train_in_subset": by_content(30),
    "c43_celeba_hq_256_jpg": by_number(split=False),
    "c44_celeba_hq_as_celeba": by_number(split=True),
    "c45_company_csv": renamed(OWN_NAMES),
    "c46_company_csv_missing_values": a_hole,
    "c48_webdataset_tar": by_content(60, split=False),
    "c50_utkface": utkface,
    "c52_company_columns_celeba_names": renamed(COMPANY),
    "f05_fairface_race4": fairface(races=RACES_4),
    "f08_fairface_codes": fairface(ages=NUMBERS, races=NUMBERS[:7], genders=("0", "1")),
    "f09_fairface_train_only": fairface(splits=("train",)),
}


def check_of(case: str) -> Check:
    return CHECKS.get(case, fairface() if case.startswith("f") else by_content(60))


@pytest.mark.skipif(maker() is None, reason=f"{MAKER} is not at {BESIDE}; set FAIRSAL_CASES to its folder")
@pytest.mark.parametrize("case", case_names())
def test_every_label_is_right_or_one_sentence_says_why_not(
    cases: Path, source: Source, case: str, tmp_path: Path
) -> None:
    try:
        faces = load_table(cases / case)
    except FairsalError as error:
        assert case in REFUSED, str(error)
        one_sentence(str(error), REFUSED[case])
        return
    assert case not in REFUSED
    assert pack(faces, tmp_path / "cache").names.equals(faces.names)
    if case == "c55_in_the_wild":
        assert f"`fairsal align {faces.root} --out" in frame_notice(faces, tmp_path / "cache")
    check_of(case)(faces, source)


@pytest.mark.skipif(maker() is None, reason=f"{MAKER} is not at {BESIDE}; set FAIRSAL_CASES to its folder")
def test_all_cases_are_looked_at(cases: Path) -> None:
    assert sorted(path.name for path in cases.iterdir()) == sorted(case_names())
    assert set(case_names()) >= {*REFUSED, *CHECKS}
