"""Tables of one's own, and the layouts that have no case elsewhere: read right, or refused in one sentence."""

import io
import json
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    FORMATS,
    check_set,
    forget_mapping,
    keep_mapping,
    kept_mapping,
    list_faces,
    load_faces,
    load_folder,
    load_table,
    mapping_path,
    parse_mapping,
    read_folder,
    unpack,
    written,
)
from fairsal_core.faces.written import read_table
from fairsal_core.home import cache_folder
from tests.faces.bounds import SELF, memory, one_sentence

HATS = [True, False, True, False, True, False, True, False]
RACES = ["Black", "White", "East Asian", "White", "Black", "", "Black", "White"]
SPLITS = ["train", "train", "train", "train", "val", "val", "test", "test"]


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """Each set in a workspace of its own."""


def picture(seed: int, size: tuple[int, int] = (20, 24)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def put_pictures(folder: Path, names: list[str]) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture(number))
    return folder


NAMES = [f"{letter}.jpg" for letter in "abcdefgh"]


def own_set(root: Path, table: str, content: str | bytes | pd.DataFrame, folder: str = "photos") -> Path:
    put_pictures(root / folder, NAMES)
    path = root / table
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def rows(separator: str, hats: dict[bool, str], names: list[str] = NAMES) -> str:
    lines = [separator.join(["photo", "Has hat", "race", "person_id", "set", "score"])]
    for number, (name, hat, race, split) in enumerate(zip(names, HATS, RACES, SPLITS, strict=True)):
        lines.append(separator.join([name, hats[hat], race, f"p{number // 2}", split, f"{number * 0.37}"]))
    return "\n".join(lines) + "\n"


WORDS = {True: "yes", False: "no"}


@pytest.mark.parametrize(
    ("table", "separator", "hats"),
    [
        ("labels.csv", ",", {True: "1", False: "0"}),
        ("labels.csv", ";", {True: "TRUE", False: "FALSE"}),
        ("people.tsv", "\t", {True: "1", False: "-1"}),
        ("annotations/labels.csv", ",", WORDS),
        ("labels.txt", "|", {True: "present", False: "absent"}),
    ],
)
def test_any_dialect_and_any_words(tmp_path: Path, table: str, separator: str, hats: dict[bool, str]) -> None:
    faces = load_table(own_set(tmp_path / "set", table, rows(separator, hats)))
    assert list(faces.attributes) == ["Has hat", "race"]
    assert faces.labels("Has hat").tolist() == HATS
    codes, names = faces.classes("race")
    assert [names[code] if code >= 0 else "" for code in codes] == RACES
    assert faces.split.tolist() == SPLITS
    assert faces.identity is not None
    assert faces.identity.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert faces.names.tolist() == [f"photos/{name}" for name in NAMES]


def test_parquet_and_json_lines_are_tables_too(tmp_path: Path) -> None:
    hats = [*HATS[:-1], None]
    content = pd.DataFrame({"file": NAMES, "hat": pd.array(hats, dtype="boolean"), "race": RACES})
    parquet = load_table(own_set(tmp_path / "parquet", "labels.parquet", content))
    lines = "\n".join(
        json.dumps({"file": name, "hat": hat, "race": race}) for name, hat, race in zip(NAMES, hats, RACES, strict=True)
    )
    jsonl = load_table(own_set(tmp_path / "jsonl", "labels.jsonl", lines))
    for faces in (parquet, jsonl):
        assert faces.labelled("hat").tolist() == [True] * 7 + [False]
        assert faces.with_label("hat").labels("hat").tolist() == HATS[:-1]
        assert set(faces.split) <= {"train", "val", "test"}
        assert any("No split is given" in note for note in faces.notes)
    pd.testing.assert_frame_equal(parquet.attributes, jsonl.attributes)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_parquet_read_by_column_is_what_its_rows_say(tmp_path: Path, rows: int) -> None:
    """The slow twin reads it row by row, as JSON lines: of all kinds of values, missing ones, and groups of few rows."""
    hats = pd.array([*HATS[:-1], None], dtype="boolean")
    ages = pd.array([21, None, 35, 4, 21, 60, 0, 35], dtype="Int64")
    scores = [0.5, float("nan"), 1.0, -2.25, 0.5, 3.0, None, 0.1]
    content = pd.DataFrame({"hat": hats, "race": RACES, "file": [*NAMES[:-1], "absent.jpg"], "age": ages, "s": scores})
    content.to_parquet(tmp_path / "labels.parquet", row_group_size=rows)
    lines = [json.dumps({k: None if v is None or v != v else v for k, v in row.items()}) for row in json_rows(content)]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    for how in ({}, {"limit": 5}, {"picture": "file", "keep": lambda cell: cell in NAMES[1:]}):
        fast, slow = (read_table(tmp_path / f"labels.{ending}", **how) for ending in ("parquet", "jsonl"))
        pd.testing.assert_frame_equal(fast.cells.astype(object), slow.cells.astype(object))
        assert fast.lines.tolist() == slow.lines.tolist() and fast.total == slow.total
    with pytest.raises(FairsalError, match=r"no column in labels\.parquet 'photo'"):
        read_table(tmp_path / "labels.parquet", picture="photo")


def test_a_parquet_of_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "_MAX_ROWS", 7)
    own_set(tmp_path, "labels.parquet", pd.DataFrame({"file": NAMES, "hat": HATS}))
    assert len(read_table(tmp_path / "labels.parquet", limit=3).cells) == 3
    with pytest.raises(FairsalError, match="more than 7 rows"):
        load_table(tmp_path)


def test_a_parquet_whose_pages_are_damaged_is_one_sentence(tmp_path: Path) -> None:
    own_set(tmp_path, "labels.parquet", pd.DataFrame({"file": NAMES, "hat": HATS}))
    path = tmp_path / "labels.parquet"
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)  # behind the magic number lies the first page; the footer stays
    path.write_bytes(content)
    with pytest.raises(FairsalError, match="does not read as Parquet"):
        read_table(path)


def json_rows(content: pd.DataFrame) -> list[dict[str, object]]:
    return content.astype(object).where(content.notna(), None).to_dict("records")


def test_one_table_a_split(tmp_path: Path) -> None:
    root = put_pictures(tmp_path / "set" / "img", NAMES).parent
    for split, some in (("train", slice(0, 4)), ("test", slice(4, 8))):
        lines = ["file,hat", *(f"{name},{int(hat)}" for name, hat in zip(NAMES[some], HATS[some], strict=True))]
        (root / f"labels_{split}.csv").write_text("\n".join(lines))
    faces = load_table(root)
    assert faces.labels("hat").tolist() == HATS
    assert faces.split.tolist() == ["train"] * 4 + ["test"] * 4
    (root / "more.csv").write_text("file,glasses\na.jpg,1\n")
    with pytest.raises(
        FairsalError, match=r"has several tables of its pictures \(labels_test.csv, labels_train.csv, more.csv\)"
    ):
        load_table(root)


def test_a_number_of_many_values_is_no_class_and_an_age_is_a_band(tmp_path: Path) -> None:
    lines = ["file,age,score,hat", *(f"{name},{20 + 9 * n},{n * 0.37},{n % 2}" for n, name in enumerate(NAMES))]
    found = read_folder(own_set(tmp_path / "set", "labels.csv", "\n".join(lines)))
    assert [(each.name, each.kind) for each in found.mapping.attributes] == [("age", "ages"), ("hat", "binary")]
    assert "it holds numbers" in found.mapping.ignored["score"]
    codes, names = load_table(tmp_path / "set").classes("age")
    assert [names[code] for code in codes][:4] == ["20-29", "20-29", "30-39", "40-49"]


def test_minus_one_zero_and_one_are_no_missing_and_yes(tmp_path: Path) -> None:
    lines = ["file,hat", *(f"{name},{n % 3 - 1}" for n, name in enumerate(NAMES))]
    faces = load_table(own_set(tmp_path / "set", "labels.csv", "\n".join(lines)))
    assert faces.labelled("hat").tolist() == [n % 3 != 1 for n in range(8)]
    assert faces.with_label("hat").labels("hat").tolist() == [n % 3 == 2 for n in range(8) if n % 3 != 1]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<html><body>sign in</body></html>\n", "this is a web page"),
        ("photo,hat\nx.jpg,1\ny.jpg,0\n", r"No column of .*labels.csv \(photo, hat\) names a picture .* \(such as photos/a.jpg\)"),
        ("photo,hat\na.jpg,1\na.jpg,0\n", "line 3 lists a.jpg more than once"),
        ("photo,hat\na.jpg,1,2\n", "expected 2 fields in line 2"),
        ("photo,hat\n../../x.jpg,1\na.jpg,0\n", "line 2 names '../../x.jpg', which is not a file in"),
        ("photo,hat\n,1\na.jpg,0\n", "line 2: a line has no photo"),
        ("photo,hat,hat\na.jpg,1,0\n", "names the attribute hat more than once"),
        ("photo,score\n" + "".join(f"{name},{n * 0.3}\n" for n, name in enumerate(NAMES)), "says yes, no or a class"),
        ("photo,hat,split\na.jpg,1,train\nb.jpg,0,later\n", r"'split': it holds|column|says"),
        ("photo,hat\nä.jpg,1\n".encode("latin-1") + b"a.jpg,1\n", "UTF-8"),
        ("photo,hat\na.jpg,1\n".encode("utf-16"), "line 1: this is no text in UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_one_sentence(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    root = own_set(tmp_path / "set", "labels.csv", content)
    try:
        faces = load_table(root)
    except FairsalError as error:
        one_sentence(str(error), sentence)
        return
    assert "later" in str(content)  # a column of other words is a class, and no split
    assert set(faces.attributes) == {"hat"} or "split" in faces.attributes


def test_folders_that_cannot_be_read_say_what_would_work(tmp_path: Path) -> None:
    put_pictures(tmp_path / "bare", NAMES)
    with pytest.raises(FairsalError, match=r"has 8 pictures and no labels: put a table beside them"):
        load_table(tmp_path / "bare")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "labels.csv").write_text("photo,hat\na.jpg,1\n")
    with pytest.raises(FairsalError, match=r"has labels\.csv but no pictures"):
        load_table(tmp_path / "tables")
    (tmp_path / "zipped").mkdir()
    with zipfile.ZipFile(tmp_path / "zipped" / "all.zip", "w") as archive:
        archive.writestr("labels.csv", rows(",", WORDS))
        for number, name in enumerate(NAMES):
            archive.writestr(f"photos/{name}", picture(number))
    with pytest.raises(FairsalError, match=r"all.zip, whose pictures are not unpacked yet; `fairsal data unpack "):
        load_table(tmp_path / "zipped")
    assert list(unpack(tmp_path / "zipped").values()) == [9]
    assert load_table(tmp_path / "zipped").labels("Has hat").tolist() == HATS


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [(6, 1, "is encrypted, password required for extraction"), (8, 97, "compression method is not supported")],
)
def test_an_archive_that_python_cannot_read_is_not_said_to_be_damaged(
    tmp_path: Path, at: int, value: int, said: str
) -> None:
    """A field of the file's own header and of the archive's directory, where it stands two bytes further on."""
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.csv", "image,Smiling\n")
    content = bytearray(path.read_bytes())
    content[at] = content[content.index(b"PK\x01\x02") + at + 2] = value
    path.write_bytes(content)
    with pytest.raises(FairsalError, match=rf"does not unpack here \(.*{said}.*\): unpack it by hand"):
        unpack(path)


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/out.jpg"])
def test_nothing_is_unpacked_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "set").mkdir()
    with zipfile.ZipFile(tmp_path / "set" / "all.zip", "w") as archive:
        archive.writestr(name, picture(0))
    with pytest.raises(FairsalError, match="would lie outside of the folder"):
        unpack(tmp_path / "set")
    assert sorted(path.name for path in tmp_path.rglob("*.jpg")) == []


# ---- other layouts


def test_an_imagefolder_for_each_split(tmp_path: Path) -> None:
    for split, some in (("train", slice(0, 4)), ("test", slice(4, 8))):
        put_pictures(tmp_path / "set" / split, NAMES[some])
        lines = [json.dumps({"file_name": name, "hat": hat}) for name, hat in zip(NAMES[some], HATS[some], strict=True)]
        (tmp_path / "set" / split / "metadata.jsonl").write_text("\n".join(lines))
    faces = load_table(tmp_path / "set")
    assert read_folder(tmp_path / "set").mapping.format == "imagefolder"
    assert faces.names.tolist() == [*(f"train/{name}" for name in NAMES[:4]), *(f"test/{name}" for name in NAMES[4:])]
    assert faces.labels("hat").tolist() == HATS
    assert faces.split.tolist() == ["train"] * 4 + ["test"] * 4


def test_classes_are_folders(tmp_path: Path) -> None:
    names = [f"train/{'hat' if hat else 'no_hat'}/{name}" for name, hat in zip(NAMES, HATS, strict=True)]
    faces = load_table(put_pictures(tmp_path / "set", names))
    assert faces.attributes.columns.tolist() == ["hat"]
    assert faces.labels("hat").tolist() == [name.split("/")[1] == "hat" for name in faces.names]
    more = load_table(put_pictures(tmp_path / "more", [f"{'abc'[n % 3]}/{name}" for n, name in enumerate(NAMES)]))
    assert more.classes("class")[1] == ("a", "b", "c")


def test_shards_say_the_split_and_nest_their_labels(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for split, some in (("train", range(4)), ("val", range(4, 8))):
        with tarfile.open(tmp_path / "set" / f"{split}-0000.tar", "w") as archive:
            for number in some:
                label = json.dumps({"attributes": {"hat": HATS[number]}, "race": RACES[number]}).encode()
                for ending, content in ((".jpg", picture(number)), (".json", label)):
                    about = tarfile.TarInfo(f"{number:03d}{ending}")
                    about.size = len(content)
                    archive.addfile(about, io.BytesIO(content))
    faces = load_table(tmp_path / "set")
    assert faces.labels("hat").tolist() == HATS
    assert faces.split.tolist() == ["train"] * 4 + ["val"] * 4
    assert (faces.image_folder / faces.names[5]).read_bytes() == picture(5)
    folder = faces.image_folder
    assert load_table(tmp_path / "set").image_folder == folder  # taken out once
    assert folder.is_relative_to(cache_folder())


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_taking_pictures_out_is_told(tmp_path: Path, form: str) -> None:
    (tmp_path / "set").mkdir()
    for name in ("train-0", "val-0"):
        if form == "parquet":
            held = [{"bytes": picture(number), "path": None} for number in range(4)]
            pd.DataFrame({"image": held, "hat": HATS[:4]}).to_parquet(tmp_path / "set" / f"{name}.parquet")
            continue
        with tarfile.open(tmp_path / "set" / f"{name}.tar", "w") as archive:
            for number in range(4):
                for ending, content in ((".jpg", picture(number)), (".cls", b"1" if HATS[number] else b"0")):
                    about = tarfile.TarInfo(f"{number:03d}{ending}")
                    about.size = len(content)
                    archive.addfile(about, io.BytesIO(content))
    told: list[tuple[float, float, str]] = []

    def progress(done: float, total: float, message: str = "") -> None:
        told.append((done, total, message))

    assert len(list_faces(str(tmp_path / "set"), progress)) == 8
    done = [
        share for share, total, message in told if message == "Taking pictures out of the files of set" and total == 2
    ]
    assert done == sorted(done)
    assert done[0] == 0 and 1 <= done[-1] < 2
    told.clear()
    list_faces(str(tmp_path / "set"), progress)
    assert not [message for _, _, message in told if "Taking" in message]


def test_lfwa_by_its_matrices_and_by_lfws_scores(tmp_path: Path) -> None:
    people = ["Ann_Lee", "Ann_Lee", "Bo_Su", "Bo_Su", "Cy_Ode", "Cy_Ode", "Di_Ek", "Di_Ek"]
    files = [f"{person}/{person}_{number % 2 + 1:04d}.jpg" for number, person in enumerate(people)]
    for root in (tmp_path / "mat", tmp_path / "scores"):
        put_pictures(root / "lfw", files)
    names = np.array([[file.replace("/", "\\")] for file in files], dtype=object)
    attributes = np.array([["Male"], ["Wearing_Hat"]], dtype=object)
    labels = np.array([[int(n < 4), int(hat)] for n, hat in enumerate(HATS)])
    savemat(tmp_path / "mat" / "lfw_att_40.mat", {"name": names, "AttrName": attributes, "label": labels})
    indices = {"indices_img_train": np.arange(1, 5), "indices_img_test": np.arange(5, 9)}
    savemat(tmp_path / "mat" / "indices_train_test.mat", indices)
    lines = ["#LFW", "#\tperson\timagenum\tMale\tWearing Hat"]
    lines += [
        f"{person.replace('_', ' ')}\t{n % 2 + 1}\t{1.5 if n < 4 else -0.5}\t{0.2 if hat else -0.2}"
        for n, (person, hat) in enumerate(zip(people, HATS, strict=True))
    ]
    (tmp_path / "scores" / "lfw_attributes.txt").write_text("\n".join(lines))
    mat, scores = load_table(tmp_path / "mat"), load_table(tmp_path / "scores")
    for faces in (mat, scores):
        assert faces.labels("Wearing_Hat").tolist() == HATS
        assert faces.labels("Male").tolist() == [True] * 4 + [False] * 4
        assert faces.identity is not None
        assert faces.identity.nunique() == 4
    assert mat.split.tolist() == ["train"] * 4 + ["test"] * 4
    assert any("drawn (by identity" in note for note in scores.notes)


def test_the_folder_above_and_the_folder_below(tmp_path: Path) -> None:
    root = own_set(tmp_path / "outer" / "inner", "labels.csv", rows(",", WORDS))
    assert load_table(tmp_path / "outer").labels("Has hat").tolist() == HATS
    for name in ("one", "two"):
        own_set(
            tmp_path / "several" / name, "list_attr_celeba.csv", "photo,hat\na.jpg,1\nb.jpg,-1\n", "img_align_celeba"
        )
    with pytest.raises(FairsalError, match=r"holds several sets \(one, two\): name one"):
        load_table(tmp_path / "several")
    pictures = tmp_path / "several" / "one" / "img_align_celeba"
    assert load_table(pictures).labels("hat").tolist() == [True, False]
    assert root.is_dir()


def test_every_format_says_what_it_is() -> None:
    assert all(one.description.endswith(".") and one.read for one in FORMATS.values())


# ---- the mapping


def test_a_mapping_is_proposed_changed_kept_and_forgotten(tmp_path: Path) -> None:
    root = own_set(tmp_path / "set", "labels.csv", rows(",", {True: "0", False: "1"}))
    found = read_folder(root)
    assert (found.mapping.picture, found.mapping.identity, found.mapping.split) == ("photo", "person_id", "set")
    assert found.mapping.protected == ("race",)
    assert load_table(root).labels("Has hat").tolist() == [not hat for hat in HATS]
    content = found.mapping.model_dump(mode="json")
    content["attributes"][0].update(name="hat", values={"0": "yes", "1": "no"})
    content.update(target="hat", split=None, splits={})
    changed = parse_mapping(json.loads(json.dumps(content)))
    assert load_table(root, changed).labels("hat").tolist() == HATS
    assert keep_mapping(found.root, changed) == mapping_path(found.root)
    assert kept_mapping(found.root) == changed
    assert load_folder(root).labels("hat").tolist() == HATS
    assert check_set(found)["mapping_is"] == "kept"
    drawn = load_folder(root)
    assert drawn.identity is not None
    assert drawn.split.groupby(drawn.identity.to_numpy()).nunique().eq(1).all()
    forget_mapping(found.root)
    assert "Has hat" in load_folder(root).attributes


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"picture": 5}, "The mapping does not fit: picture"),
        ({"colour": "red"}, "The mapping does not fit: colour"),
        ({"splits": {"a": "dev"}}, "a split is train, val, test, not 'dev'"),
        ({"attributes": [{"column": "x", "name": "x", "kind": "binary", "values": {"1": "maybe"}}]}, "not 'maybe'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(FairsalError, match=sentence):
        parse_mapping({"format": "table", **change})


def test_a_mapping_without_a_meaning_or_a_column_is_one_sentence(tmp_path: Path) -> None:
    found = read_folder(own_set(tmp_path / "set", "labels.csv", rows(",", WORDS)))
    content = found.mapping.model_dump(mode="json")
    content["attributes"][0]["values"] = {"yes": "yes"}
    with pytest.raises(FairsalError, match="The column 'Has hat' holds 'no', which its mapping gives no meaning"):
        load_table(tmp_path / "set", parse_mapping(content))
    content["attributes"][0].update(column="Hat", values={"yes": "yes", "no": "no"})
    with pytest.raises(FairsalError, match="There is no column 'Hat'; did you mean 'Has hat'"):
        load_table(tmp_path / "set", parse_mapping(content))


def test_a_check_shows_twelve_rows_groups_and_what_is_missing(tmp_path: Path) -> None:
    found = read_folder(own_set(tmp_path / "set", "labels.csv", rows(",", WORDS)))
    about = check_set(found)
    assert (about["faces"], about["format"], about["identities"]) == (8, "table", 4)
    assert about["missing"] == {"race": 1}
    assert len(about["examples"]) == 8
    assert about["examples"][0] == {
        "picture": "photos/a.jpg",
        "split": "train",
        "identity": 0,
        "labels": {"Has hat": "yes", "race": "Black"},
    }
    assert {"Has hat": "yes", "race": "Black", "train": 1, "val": 1, "test": 1} in about["groups"]
    assert sum(row["train"] + row["val"] + row["test"] for row in about["groups"]) == 8


# ---- work in proportion


@pytest.fixture(scope="module")
def big_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CelebA's table at its full 202,599 rows and 40 columns over 200 pictures, and its partition."""
    root = tmp_path_factory.mktemp("big") / "celeba"
    count, wanted = 202_599, range(500, 200_000, 1000)
    names = [f"{number:06d}.jpg" for number in range(1, count + 1)]
    put_pictures(root / "img_align_celeba", [f"{number:06d}.jpg" for number in wanted])
    line = " ".join([" 1", "-1"] * 20)
    columns = " ".join(f"attribute_{number}" for number in range(40))
    (root / "list_attr_celeba.txt").write_text(f"{count}\n{columns}\n" + "".join(f"{name} {line}\n" for name in names))
    (root / "list_eval_partition.txt").write_text("".join(f"{name} {n % 3}\n" for n, name in enumerate(names)))
    return root


@pytest.mark.timeout(120)
def test_few_pictures_under_a_full_table_cost_what_few_pictures_cost(big_table: Path) -> None:
    if (SELF / "clear_refs").exists():
        (SELF / "clear_refs").write_text("5")
    held, began = memory("VmRSS"), time.process_time()
    faces = load_faces(str(big_table))
    seconds = time.process_time() - began
    peak = memory("VmHWM") - held
    assert len(faces) == 200
    assert faces.notes == (
        "202,399 of 202,599 rows of list_attr_celeba.txt have no picture here (such as 000001.jpg): left out.",
    )
    written = sum(path.stat().st_size for path in cache_folder().rglob("*.npy"))
    assert written < 200 * 128 * 128 * 3 + 10_000
    assert seconds < 8
    assert peak < 200 * 2**20
    assert len(list_faces(str(big_table))) == 200
