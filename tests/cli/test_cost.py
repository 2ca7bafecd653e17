"""`cost`: how long, and how much disk, with nothing started."""

import json
from pathlib import Path

import pytest

from fairsal_core.cli import main
from fairsal_core.experiments import AuditPaces, Paces, SubjectPace
from fairsal_core.runs import list_runs
from tests.cli.helpers import said


def test_an_experiments_stages_and_disk_are_told(
    drawn_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paces = Paces(regions=50.0, maps=100.0, training=200.0, explaining={"lrp": 10.0})
    monkeypatch.setattr("fairsal_core.experiments.probe_paces", lambda config, faces: paces)
    config = {"counts": "0,12,8,4", "schemes": [], "training": {"epochs": 5}, "attention": {"explainers": ["lrp"]}}
    (home / "config.json").write_text(json.dumps({**config, "test_per_cell": 2, "device": "cpu"}))
    asked = ["cost", "--config", str(home / "config.json"), "--data", str(drawn_folder)]
    assert main([*asked, "--json"]) == 0
    about = said(capsys)
    assert about["seconds"]["training"] == 2 * 24 * 5 / 200  # original and balanced
    assert about["disk_bytes"]["classifiers"] > 1e6
    assert main(asked) == 0
    assert "s  in all, if nothing of it is there yet" in capsys.readouterr().out
    assert not list_runs()


def test_an_audits_stages_are_told(
    drawn_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paces = AuditPaces({"new": SubjectPace(50.0, {"lrp": 4.0})}, regions=0.0, maps=16.0)
    monkeypatch.setattr("fairsal_core.experiments.probe_audit", lambda config, faces: paces)
    config = {"target": "Male", "confounder": "Blond_Hair", "data": str(drawn_folder), "test_per_cell": 1}
    file = home / "config.json"
    file.write_text(json.dumps({**config, "subjects": ["new"], "test_split": "train"}))
    assert main(["cost", "--config", str(file), "--json"]) == 0
    assert said(capsys)["seconds"]["scores of new"] == 4 * 3 / 50


def test_what_has_no_cost_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.json").write_text(json.dumps({"subjects": [], "schemes": ["nonsense"]}))
    assert main(["cost", "--config", str(home / "config.json")]) == 1
    assert "nonsense" in capsys.readouterr().err
