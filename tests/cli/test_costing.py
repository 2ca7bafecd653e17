"""`--cost`: what a job takes, with nothing started."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fairsal_core.cli import main
from fairsal_core.costs import COSTS, registry
from fairsal_core.costs.attribution import MapPaces
from fairsal_core.costs.audit import AuditPaces, SubjectPace
from fairsal_core.costs.experiment import Paces
from fairsal_core.costs.methods import MethodCost
from fairsal_core.costs.mitigation import MitigationPaces
from fairsal_core.costs.regions import RegionPaces
from fairsal_core.runs import list_runs
from tests.cli.helpers import said


def probed_as(monkeypatch: pytest.MonkeyPatch, kind: str, paces: object) -> None:
    tried = replace(COSTS[kind], probe=lambda config, read: paces)
    monkeypatch.setattr(registry, "COSTS", {**COSTS, kind: tried})


def test_an_experiments_stages_memory_and_disk_are_told(
    drawn_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probed_as(
        monkeypatch,
        "experiment",
        Paces(regions=50.0, maps=100.0, training=200.0, explaining={"lrp": 10.0}, beside_another=60.0, treated=200.0),
    )
    config = {"counts": "0,12,8,4", "schemes": [], "training": {"epochs": 5}, "attention": {"explainers": ["lrp"]}}
    (home / "config.json").write_text(json.dumps({**config, "test_per_cell": 2, "device": "cpu"}))
    asked = ["run", "--cost", "--config", str(home / "config.json"), "--data", str(drawn_folder)]
    assert main([*asked, "--json"]) == 0
    about = said(capsys)
    assert about["seconds"]["training"] == 2 * 24 * 5 / 200  # original and balanced
    assert about["disk_bytes"]["classifiers"] > 1e6 and about["memory_bytes"]["program, networks and batches"] > 1e8
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert "s   in all, if nothing of it is there yet" in shown and "MB  of memory at once" in shown
    assert not list_runs()


def test_an_audits_stages_are_told(
    drawn_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probed_as(monkeypatch, "audit", AuditPaces({"new": SubjectPace(50.0, {"lrp": 4.0})}, regions=0.0, maps=16.0))
    asked = ["audit", "--cost", "--data", str(drawn_folder), "--target", "Male", "--protected", "Blond_Hair"]
    assert main([*asked, "--test-per-cell", "1", "--split", "train", "--subjects", "new", "--json"]) == 0
    assert said(capsys)["seconds"]["scores of new"] == 4 * 3 / 50
    assert main([*asked, "--predictions", str(home / "none.csv")]) == 1
    assert "seconds: there is nothing to try" in capsys.readouterr().err


def test_what_other_commands_start_is_told_too(
    drawn_folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probed_as(monkeypatch, "regions", RegionPaces(10.0, 25.0))
    train = ["train-regions", "--data", str(drawn_folder), "--attribute", "Smiling", "--out", str(home / "out")]
    assert main([*train, "--images", "40", "--epochs", "2", "--cost", "--json"]) == 0
    assert said(capsys)["seconds"]["training"] == 40 * 2 / 10
    mapping = [
        "attribute",
        "--data",
        str(drawn_folder),
        "--attribute",
        "Smiling",
        "--out",
        str(home / "out.npy"),
        "--cost",
    ]
    probed_as(monkeypatch, "attribution", MapPaces(5.0, 100))
    assert main([*mapping, "--split", "val", "--sample", "10", "--json"]) == 0
    about = said(capsys)
    assert about["seconds"]["mapping"] == 2.0 and about["seconds"]["starting"] > 0
    assert about["memory_bytes"]["pictures"] == 10 * 128 * 128 * 3
    assert about["disk_bytes"] == {"region maps": 1000}
    assert main([*mapping, "--class", "Smiling"]) == 1
    assert "leave out --image, --regions and --class" in capsys.readouterr().err
    own = [
        "mitigate",
        "--subject",
        "mine",
        "--data",
        str(drawn_folder),
        "--target",
        "Male",
        "--confounder",
        "Blond_Hair",
    ]
    probed_as(monkeypatch, "mitigation", MitigationPaces({"fine_tune": MethodCost(3.0, 0.5)}, weights=10**6))
    assert main([*own, "--methods", "fine_tune", "--mitigation-faces", "8", "--cost", "--json"]) == 0
    about = said(capsys)
    faces = about["memory_bytes"]["pictures"] / (128 * 128 * 3)
    assert about["seconds"]["fine_tune"] == 3.0 + 0.5 * faces and faces > 8
    assert about["disk_bytes"]["classifiers"] == 10**6
    assert not list_runs()


def test_what_has_no_cost_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.json").write_text(json.dumps({"schemes": ["nonsense"]}))
    assert main(["run", "--cost", "--config", str(home / "config.json")]) == 1
    assert "nonsense" in capsys.readouterr().err
