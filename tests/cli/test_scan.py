"""`fairsal scan`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.cli import main
from fairsal_core.faces import load_celeba
from fairsal_core.scan import save_cohort
from tests.cli.helpers import said
from tests.scan.conftest import MakeRun, make_run

__all__ = ["make_run"]


def test_a_run_is_scanned(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    assert main(["scan", "--run", run.id, "--json"]) == 0
    found = said(capsys)
    assert found["subject"] == "original, seed 0"
    assert found["rows"][0]["attribute"] == "Eyeglasses"
    assert main(["scan", "--run", run.id, "--variant", "general_mask@0.7", "--seed", "1", "--depth", "2"]) == 0
    shown = capsys.readouterr().out
    assert "general_mask@0.7, seed 1" in shown and "0 differs" in shown
    assert main(["scan", "--run", run.id, "--seed", "9"]) == 1
    assert "has no such predictions" in capsys.readouterr().err


def test_a_table_is_scanned_by_groups_and_in_a_cohort(
    home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = load_celeba(drawn_folder)
    table = pd.DataFrame({"face": faces.names, "score": np.where(faces.labels("Wearing_Hat"), 0.9, 0.1)})
    table.to_csv(home / "scores.csv", index=False)
    command = ["scan", "--predictions", str(home / "scores.csv"), "--data", str(drawn_folder), "--target", "Smiling"]
    assert main([*command, "--groups", "Wearing_Hat", "Male", "--view", "equal", "--json"]) == 0
    found = said(capsys)
    assert found["rows"][0]["attribute"] == "Wearing_Hat"
    assert found["spreads"]["selection_rate"]["difference"] == 1
    assert {row["group"] for row in found["groups"]} == {
        f"{hat}, {male}" for hat in ("Wearing_Hat", "not Wearing_Hat") for male in ("Male", "not Male")
    }
    save_cohort("first hundred", str(drawn_folder), faces.names[:100])
    assert main([*command, "--cohort", "first hundred", "--json"]) == 0
    assert said(capsys)["faces"] == 100
    assert main(command[:3]) == 1
    assert "--data" in capsys.readouterr().err
