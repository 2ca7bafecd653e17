"""Predictions that somebody brings: columns, words, names of faces, and what does not fit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, load_celeba
from fairsal_core.results import Brought, read_brought
from fairsal_core.settings import parse_audit
from tests.conftest import MakeCeleba

COUNT = 24


@pytest.fixture
def faces(make_celeba: MakeCeleba) -> FaceDataset:
    return load_celeba(make_celeba(count=COUNT))


def read(faces: FaceDataset, *files: Path, **settings: object) -> list[Brought]:
    content = {"data": "demo", "target": "Smiling", "confounder": "Male", "predictions": list(map(str, files))}
    return read_brought(parse_audit({**content, **settings}), faces)


def write(path: Path, columns: dict[str, object], **options: object) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False, **options)  # type: ignore[call-overload]
    return path


SCORES = np.linspace(0.02, 0.98, COUNT).round(3)


def test_a_file_name_and_a_score_are_enough(faces: FaceDataset, tmp_path: Path) -> None:
    (found,) = read(faces, write(tmp_path / "resnet.csv", {"file_name": faces.names, "score": SCORES}))
    assert found.models == ["resnet"]
    assert dict(found.columns) == {"face": "file_name", "score": "score"}
    assert list(found.table["face"]) == list(faces.names)
    np.testing.assert_allclose(found.table["score"], SCORES)
    assert found.table["decision"].isna().all()


@pytest.mark.parametrize(
    ("suffix", "separator", "name", "score"),
    [
        (".csv", ",", "{}", "Score"),
        (".tsv", "\t", "images/{}", "p_smiling"),
        (".csv", ";", "C:\\x\\{}", "SmilingProb"),
        (".txt", "|", "{}", "y_score"),
    ],
)
def test_dialects_paths_and_names_of_columns(
    faces: FaceDataset, tmp_path: Path, suffix: str, separator: str, name: str, score: str
) -> None:
    names = [name.format(face) for face in faces.names]
    file = write(tmp_path / f"m{suffix}", {"Image": names, score: SCORES}, sep=separator)
    (found,) = read(faces, file)
    assert list(found.table["face"]) == list(faces.names)
    np.testing.assert_allclose(found.table["score"], SCORES)


def test_stems_numbers_and_other_endings_name_faces(faces: FaceDataset, tmp_path: Path) -> None:
    stems = [Path(name).stem for name in faces.names]
    others = [f"{stem}.PNG" for stem in stems]
    numbers = [str(int(stem)) for stem in stems]
    for names in (stems, others, numbers):
        (found,) = read(faces, write(tmp_path / "m.csv", {"image_id": names, "score": SCORES}))
        assert list(found.table["face"]) == list(faces.names)


def test_parquet_and_decimal_commas(faces: FaceDataset, tmp_path: Path) -> None:
    pd.DataFrame({"file": faces.names, "prob": SCORES}).to_parquet(tmp_path / "m.parquet")
    (found,) = read(faces, tmp_path / "m.parquet")
    np.testing.assert_allclose(found.table["score"], SCORES)
    file = write(tmp_path / "de.csv", {"file": faces.names, "prob": SCORES}, sep=";", decimal=",")
    (found,) = read(faces, file)
    np.testing.assert_allclose(found.table["score"], SCORES)


@pytest.mark.parametrize(
    ("no", "yes"), [("0", "1"), ("no", "yes"), ("False", "True"), ("not Smiling", "Smiling"), ("-1", "1")]
)
def test_decisions_in_any_words(faces: FaceDataset, tmp_path: Path, no: str, yes: str) -> None:
    said = faces.labels("Smiling")
    file = write(tmp_path / "m.csv", {"file_name": faces.names, "prediction": np.where(said, yes, no)})
    (found,) = read(faces, file)
    assert (found.table["decision"] == said).all()
    assert found.table["score"].isna().all()


def test_several_models_by_a_column_by_files_and_by_columns(faces: FaceDataset, tmp_path: Path) -> None:
    one = pd.DataFrame({"file_name": faces.names, "model": "a", "score": SCORES})
    both = pd.concat([one, one.assign(model="b", score=1 - SCORES)])
    both.to_csv(tmp_path / "both.csv", index=False)
    assert read(faces, tmp_path / "both.csv")[0].models == ["a", "b"]
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    files = [write(tmp_path / folder / "test.csv", {"f": faces.names, "score": SCORES}) for folder in "xy"]
    assert [model for one in read(faces, *files) for model in one.models] == ["x/test", "y/test"]
    wide = write(tmp_path / "wide.csv", {"f": faces.names, "resnet": SCORES, "vit": 1 - SCORES})
    (found,) = read(faces, wide)
    assert found.models == ["resnet", "vit"]
    np.testing.assert_allclose(found.table.loc[found.table["model"] == "vit", "score"], 1 - SCORES)


def test_logits_are_refused_until_they_are_said_to_be(faces: FaceDataset, tmp_path: Path) -> None:
    file = write(tmp_path / "m.csv", {"file_name": faces.names, "logit": np.linspace(-4, 4, COUNT)})
    with pytest.raises(FairsalError, match=r"holds -4 to 4.*--scores logits"):
        read(faces, file)
    (found,) = read(faces, file, scores="logits")
    np.testing.assert_allclose(found.table["score"], 1 / (1 + np.exp(-np.linspace(-4, 4, COUNT))))


def test_what_does_not_fit_is_counted_and_named(faces: FaceDataset, tmp_path: Path) -> None:
    labels = faces.labels("Smiling").copy()
    labels[:3] = ~labels[:3]
    scores = np.where(faces.labels("Smiling"), 0.9, 0.1)
    columns = {
        "file_name": [*faces.names, "elsewhere.jpg", faces.names[0]],
        "score": [*scores, 0.5, scores[0]],
        "label": [*labels.astype(int), 1, int(labels[0])],
    }
    (found,) = read(faces, write(tmp_path / "m.csv", columns))
    told = " ".join(found.notes)
    assert "1 faces of m.csv are not in the set (such as elsewhere.jpg)" in told
    assert "1 rows of m.csv say again" in told
    assert "4 of 25 labels in m.csv are not what the set says" in told  # the row that comes twice differs too
    assert len(found.table) == COUNT


def test_rows_that_contradict_each_other_are_an_error(faces: FaceDataset, tmp_path: Path) -> None:
    columns = {"file_name": [*faces.names, faces.names[0]], "score": [*SCORES, 0.5]}
    with pytest.raises(FairsalError, match="line 26 says something else of"):
        read(faces, write(tmp_path / "m.csv", columns))


def test_reversed_predictions_are_said(faces: FaceDataset, tmp_path: Path) -> None:
    file = write(tmp_path / "m.csv", {"file_name": faces.names, "score": np.where(faces.labels("Smiling"), 0.2, 0.7)})
    assert "predictions of the other class?" in " ".join(read(faces, file)[0].notes)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"file_name": ["a.jpg"], "score": [0.5]}, "None of the 1 rows"),
        ({"file_name": ["000001.jpg"]}, "one column"),
        (
            {"file_name": ["000001.jpg", "000002.jpg"], "remark": ["good", "bad"]},
            "No column of .* is taken for a score",
        ),
        ({"file_name": ["000001.jpg", "000002.jpg"], "score": ["0.5", "high"]}, "line 3: 'high' in the column 'score'"),
        ({"file_name": ["000001.jpg", "000002.jpg"], "decision": ["a", "b"]}, "a decision is 0 or 1"),
        ({"file_name": ["000001.jpg", "000002.jpg"], "score": [3, 91]}, "percentages"),
    ],
)
def test_bad_tables_are_one_sentence(faces: FaceDataset, tmp_path: Path, columns: dict[str, object], said: str) -> None:
    with pytest.raises(FairsalError, match=said):
        read(faces, write(tmp_path / "m.csv", columns))


def test_columns_can_be_named(faces: FaceDataset, tmp_path: Path) -> None:
    file = write(tmp_path / "m.csv", {"file_name": faces.names, "score": 1 - SCORES, "other": SCORES})
    (found,) = read(faces, file, columns="score=other")
    np.testing.assert_allclose(found.table["score"], SCORES)
    with pytest.raises(FairsalError, match="no column 'none'"):
        read(faces, file, columns={"score": "none"})
