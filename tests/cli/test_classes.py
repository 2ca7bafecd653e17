"""A run on faces whose attributes have classes."""

from pathlib import Path

import pytest

from fairsal_core.cli import main
from fairsal_core.faces import draw_fairface
from fairsal_core.files import read_json, write_json
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
