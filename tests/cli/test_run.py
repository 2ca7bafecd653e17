"""`run`, and `explain` and `runs` on what it left."""

import json
from pathlib import Path

import pytest

from fairsal_core.cli import main
from fairsal_core.metrics import METRICS
from tests.cli.helpers import said
from tests.helpers import register
from tests.metrics.foreign import FOREIGN


def test_an_experiment_runs_to_its_table(
    home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "config.json"
    config.write_text(json.dumps({"regions": {"images": 40, "epochs": 1, "validation_images": 20}}))
    arguments = ["run", "--config", str(config), "--data", str(drawn_folder), "--counts", "0,12,8,4"]
    arguments += ["--schemes", "specific_mask@0.6", "--test-per-cell", "1", "--epochs", "1", "--balanced", "false"]
    assert main([*arguments, "--json"]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert result["state"] == "finished"
    assert {row["variant"] for row in result["results"]} == {"original", "specific_mask@0.6"}
    assert {row["treated_by"] for row in result["results"]} == {"", "general_mask@0.6"}
    assert "100%" in output.err

    explaining = ["explain", result["id"], "--method", "gradient", "--explained-faces", "4", "--roi", "20,30,40,50"]
    assert main([*explaining, "--device", "cpu", "--json"]) == 0
    rows = said(capsys)["attention"]
    assert {(row["explainer"], row["roi"]) for row in rows} == {("gradient", "20,30,40,50")}
    assert {"rrf", "adr", "rddt"} <= {row["metric"] for row in rows}

    register(monkeypatch, METRICS, *FOREIGN)
    assert main([*explaining, "--device", "cpu", "--json"]) == 0
    again = said(capsys)["attention"]
    added = [row for row in again if row["metric"] in {metric.name for metric in FOREIGN}]
    assert {row["metric"] for row in added} == {"peak_inside", "mean_fall", "fall_test"}
    assert [row for row in again if row not in added] == rows

    assert main(["runs"]) == 0
    assert result["id"] in capsys.readouterr().out
    assert main(["runs", result["id"], "--delete"]) == 0
    assert not Path(result["folder"]).exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--confounder", "Blond_Hare"], "did you mean 'Blond_Hair'"),
        (["--schemes", "general_mask@1.5"], "must lie between 0 and 1"),
        (["--counts", "0,9000,1,1"], "the largest scale that fits is"),
        (["--epochs", "many"], "training.epochs"),
        (["--explainers", "lpr"], "did you mean 'lrp'"),
        (["--roi", "120,0,20,20"], "reaches outside the 128 x 128 image"),
        (["--config", "nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_bad_settings_are_one_sentence(
    arguments: list[str], sentence: str, home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--data", str(drawn_folder), *arguments]) == 1
    output = capsys.readouterr()
    assert sentence in output.err + output.out
    assert "Traceback" not in output.err + output.out
