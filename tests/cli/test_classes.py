"""A run on faces whose attributes have classes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.cli import main
from fairsal_core.faces import draw_fairface, load_folder
from fairsal_core.files import read_json, write_json
from fairsal_core.reports import write_report
from fairsal_core.results import (
    check_attention,
    list_attention,
    over_all_seeds,
    read_hidden,
    read_predictions,
    read_results,
)
from fairsal_core.runs import check_run, load_run, run_here
from fairsal_core.settings import AUDIT, parse_audit
from tests.cli.helpers import said


def test_a_class_against_the_rest_is_trained_and_audited(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = draw_fairface(tmp_path / "fairface", count=200, seed=0)
    config = {
        "target": "gender=Female",
        "confounder": "race=Eyeglasses",
        "counts": "2,8,6,4",
        "schemes": ["general_mask@0.7"],
        "regions": {"images": 60, "epochs": 1, "validation_images": 20},
        "training": {"epochs": 1, "batch_size": 8},
        "attention": {"explainers": ["gradient"], "explained_faces": 4},
        "test_per_cell": 1,
        "device": "cpu",
    }
    write_json(tmp_path / "config.json", config)
    command = ["run", "--data", str(folder), "--config", str(tmp_path / "config.json"), "--json"]
    assert main(command) == 0
    result = said(capsys)
    assert result["state"] == "finished"
    subsets = read_json(Path(result["folder"]) / "subsets.json")
    assert any("no test split" in note for note in subsets["notes"])
    assert sum(subsets["test"].values()) == 4
    _audited_by_all_values(result["id"], folder, capsys)


def _audited_by_all_values(trained: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trained classifier, by race as a whole: what is hidden, where it looks, and explained once more."""
    asked = {
        "data": str(folder),
        "target": "gender=Female",
        "confounder": "race",
        "test_split": "all",
        "subjects": [f"{trained}:original"],
        "regions": {"images": 60, "epochs": 1, "validation_images": 20},
        "attention": {"explainers": ["gradient"], "explained_faces": 12},
        "device": "cpu",
    }
    run = run_here(AUDIT, parse_audit(asked).model_dump(mode="json"), name="by race")
    check_run(run)
    assert load_run(run).status.state == "finished"
    predictions = read_predictions(run)
    kinds = predictions["confounder"].cat.categories
    cells = [f"{named} with race={kind}" for named in ("gender=Female", "not gender=Female") for kind in kinds]
    hidden = read_hidden(run)
    assert set(hidden["group"]) == {"all", *(f"with race={kind}" for kind in kinds), *cells}
    (attention,) = list_attention(run)
    check_attention(attention)
    assert len(attention.means("original")) == len(cells)
    counts = attention.values.groupby(["target", "confounder"], observed=False).size()
    assert counts.nunique() == 1
    assert counts.sum() <= 12
    assert main(["explain", run.name, "--method", "integrated_gradients", "--explained-faces", "12"]) == 0
    assert {one.about["method"] for one in list_attention(run)} == {"gradient", "integrated_gradients"}
    capsys.readouterr()
    assert main(["scan", "--run", run.name, "--groups", "race", "--json"]) == 0
    assert {group["group"] for group in said(capsys)["groups"]} >= {f"race={kind}" for kind in kinds}


def test_an_audit_by_all_values_of_an_attribute(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = draw_fairface(tmp_path / "fairface", count=260, seed=0)
    faces = load_folder(folder)
    race, kinds = faces.classes("race")
    has = faces.labels("gender=Female")
    worse = race == kinds.index("Eyeglasses")  # women with glasses are taken for men
    score = np.where(has & ~worse, 0.9, 0.1)
    pd.DataFrame({"file": faces.names, "score": score}).to_csv(tmp_path / "scores.csv", index=False)
    asked = ["audit", "--data", str(folder), "--target", "gender=Female", "--protected", "race", "--split", "all"]
    assert main([*asked, "--predictions", str(tmp_path / "scores.csv"), "--json"]) == 0
    told = said(capsys)
    run = Path(told["folder"])
    subsets = read_json(run / "subsets.json")
    kept = [name.partition("=")[2] for name in subsets["test"] if name.startswith("target")]
    assert 2 < len(kept) < len(kinds)
    assert any(note.startswith("Of race, ") and "left out: fewer than 10 faces" in note for note in told["notes"])
    assert any("Cells are as large as the rarest" in note for note in told["notes"])
    assert subsets["phi"] is None
    assert len(set(subsets["test"].values())) == 1
    assert min(subsets["test_available"].values()) == next(iter(subsets["test"].values()))
    pooled = over_all_seeds(read_results(run)).set_index(["metric", "group"])["value"]
    cells = pooled["accuracy"]
    assert cells["gender=Female with race=Eyeglasses"] == 0
    assert cells["not gender=Female with race=Eyeglasses"] == 1
    assert list(pooled["worst_cell"].index) == ["gender=Female with race=Eyeglasses"]
    assert pooled["equalized_odds_difference", "all"] == 1
    assert pooled["impact_ratio", "all"] == 0
    predictions = read_predictions(run)
    assert list(predictions["confounder"].cat.categories) == kept
    assert np.isin(predictions["confounder"].unique(), kept).all()
    written = write_report(load_run(run), tmp_path / "report", faces=False).html.read_text()
    assert "gender=Female with race=Eyeglasses" in written
    assert "φ =" not in written
    # More faces a cell leave more groups out, and too few groups are named with their sizes.
    assert main([*asked, "--predictions", str(tmp_path / "scores.csv"), "--test-per-cell", "100", "--json"]) == 1
    assert "judged on at least 100 faces of either label" in capsys.readouterr().out


def test_a_run_of_an_attribute_of_several_values_says_how_to_name_one(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = draw_fairface(tmp_path / "fairface", count=40, seed=0)
    asked = ["run", "--data", str(folder), "--target", "gender=Female", "--confounder", "race", "--counts", "1,1,1,1"]
    assert main(asked) == 1
    assert "such as 'race=" in capsys.readouterr().out
