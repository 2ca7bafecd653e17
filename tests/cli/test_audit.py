"""`audit`: predictions of others become a run that everything that reads runs can read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.cli import main
from fairsal_core.faces import CELLS, cell_name, load_celeba
from fairsal_core.results import cells_by_face, natural_table, over_all_seeds, read_predictions, read_results
from fairsal_core.runs import RunFiles, check_run, load_run, read_content, standing
from fairsal_core.scan import kept_groups
from tests.cli.helpers import said


@pytest.fixture
def brought(drawn_folder: Path, tmp_path: Path) -> list[str]:
    """Two models' scores of all drawn faces: one that is right nearly always, one that follows hair."""
    faces = load_celeba(drawn_folder)
    generator = np.random.default_rng(0)
    files = []
    for name, follows in (("good", "Male"), ("shortcut", "Blond_Hair")):
        score = np.clip(
            np.where(faces.labels(follows) == (name == "good"), 0.8, 0.2) + generator.normal(0, 0.1, len(faces)), 0, 1
        )
        files.append(str(tmp_path / f"{name}.csv"))
        pd.DataFrame({"image": faces.names, "score": score.round(4)}).to_csv(files[-1], index=False)
    return files


def audit(folder: Path, files: list[str], *more: str) -> int:
    return main(
        [
            "audit",
            "--data",
            str(folder),
            "--target",
            "Male",
            "--protected",
            "Blond_Hair",
            "--predictions",
            *files,
            *more,
            "--json",
        ]
    )


def test_predictions_become_a_run(
    home: Path, drawn_folder: Path, brought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(drawn_folder, brought, "--split", "all") == 0
    about = said(capsys)
    path = Path(about["folder"])
    run = load_run(path)
    assert (run.kind, run.status.state, standing(path)) == ("audit", "finished", "made here")
    check_run(path)
    results = over_all_seeds(read_results(path))
    gaps = results[results["metric"] == "equalized_odds_difference"].set_index("variant")["value"]
    assert gaps["good"] < 0.1 < gaps["shortcut"]
    predictions = read_predictions(path)
    cells = predictions.groupby(["variant", "target", "confounder"]).size()
    assert cells.nunique() == 1
    subsets = read_content(path, RunFiles(path).subsets)
    counts = list(subsets["test_available"].values())
    assert sum(counts) == 240
    cells = cells_by_face(predictions, "Male", "Blond_Hair")
    named = [cell_name("Male", "Blond_Hair", cell) for cell in CELLS]
    natural = natural_table(predictions, "Male", cells, pd.Series(counts, index=named))
    assert set(natural["variant"]) == {"good", "shortcut"}
    assert sorted(file.name for file in RunFiles(path).brought.iterdir()) == ["1-good.csv", "2-shortcut.csv"]
    assert "good: yes above a score of 0.5." in about["notes"]

    assert main(["report", run.id, "--json"]) == 0
    report = Path(said(capsys)["report"]).read_text(encoding="utf-8")
    assert "Change from good" in report
    assert "fairsal_core audit --data" in report
    assert "Training subset" not in report
    assert main(["runs", run.id, "--json"]) == 0
    assert said(capsys)["state"] == "finished"


def test_faces_that_lack_a_prediction_are_left_out_and_counted(
    home: Path, drawn_folder: Path, brought: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = pd.read_csv(brought[0])
    table.iloc[7:].to_csv(brought[0], index=False)
    assert audit(drawn_folder, brought, "--split", "all") == 0
    about = said(capsys)
    assert f"good says nothing of 7 of the 240 faces (such as {table['image'][0]}): left out." in about["notes"]
    judged = read_predictions(Path(about["folder"]))
    assert not set(table["image"][:7]) & set(judged["face"])


def test_a_threshold_is_what_was_given_or_chosen_on_faces_that_are_not_judged_on(
    home: Path, drawn_folder: Path, brought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(drawn_folder, brought[:1], "--split", "all", "--threshold", "0.95") == 0
    predictions = read_predictions(Path(said(capsys)["folder"]))
    assert (predictions["decision"] == (predictions["score"] > 0.95)).all()
    assert audit(drawn_folder, brought[:1], "--threshold", "validation") == 1
    assert "is chosen on at least 20 faces of each cell of the val split" in said(capsys)["error"]
    assert audit(drawn_folder, brought[:1], "--split", "train", "--threshold", "validation") == 1
    assert audit(drawn_folder, brought[:1], "--split", "all", "--threshold", "validation") == 1
    assert "cannot be judged on them too" in capsys.readouterr().err


def test_decisions_alone_stand(
    home: Path, drawn_folder: Path, brought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(brought[0])
    table.assign(decision=np.where(table["score"] > 0.3, "yes", "no")).drop(columns="score").to_csv(
        brought[0], index=False
    )
    assert audit(drawn_folder, brought[:1], "--split", "all") == 0
    about = said(capsys)
    assert "good: decisions as they were given; it gives no scores, so 1 and 0 stand for them." in about["notes"]
    judged = read_predictions(Path(about["folder"]))
    expected = (table.set_index("image")["score"] > 0.3).reindex(judged["face"])
    assert (judged["decision"].to_numpy() == expected.to_numpy()).all()


def test_no_prediction_of_the_split_is_one_sentence(
    home: Path, drawn_folder: Path, brought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    faces = load_celeba(drawn_folder)
    train = set(faces.in_split("train").names)
    table = pd.read_csv(brought[0])
    table[table["image"].isin(train)].to_csv(brought[0], index=False)
    assert audit(drawn_folder, brought[:1]) == 1
    told = json.loads(capsys.readouterr().out)["error"]
    assert told.startswith("None of the faces of the test split has a prediction")
    assert "--split all" in told


def test_groups_crossed_are_told_for_each_model_and_kept_for_the_report(
    drawn_folder: Path, brought: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(drawn_folder, brought, "--groups", "Smiling", "Eyeglasses", "--json") == 0
    found = said(capsys)
    good, shortcut = found["groups"]
    assert (good["subject"], shortcut["subject"]) == ("good, seed 0", "shortcut, seed 0")
    judged = read_predictions(Path(found["folder"]))
    assert len(good["sizes"]) == 4 and sum(good["sizes"].values()) == judged["face"].nunique()
    rates = {(row["group"], row["metric"]): row["value"] for row in good["rows"]}
    assert rates["Smiling, not Eyeglasses", "accuracy"] > 0.9
    assert [each.subject for each in kept_groups(Path(found["folder"]))] == ["good, seed 0", "shortcut, seed 0"]
