"""`judge-regions`, on an atlas and on the region classifier of one attribute."""

from pathlib import Path

import pytest

from fairsal_core.cli import main
from fairsal_core.regions import Atlas, bundled_path
from tests.cli.helpers import TINY_REGIONS, said


def test_an_atlas_is_trained_judged_and_maps(
    home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(drawn_folder)]
    train = ["train-regions", *data, "--attribute", "all", "--width", "4", "--half", "--name", "ours", *TINY_REGIONS]
    assert main([*train, "--out", str(home / "out"), "--json"]) == 0
    trained = said(capsys)["trained"]
    weights = home / "out" / "ours.safetensors"
    assert {about["weights"] for about in trained.values()} == {str(weights)}
    assert set(trained) == set(Atlas.load(weights).attributes) >= {"Male", "Smiling", "Wearing_Hat"}

    assert main(["judge-regions", str(weights), *data, "--json"]) == 0
    about = said(capsys)
    assert set(about["attributes"]) <= set(trained)
    assert about["left_out"] == [name for name in trained if name not in about["attributes"]]
    numbers = about["attributes"]["Male"]
    assert numbers["faces"] == 24
    assert 0 <= numbers["auc_low"] <= numbers["auc"] <= numbers["auc_high"] <= 1
    assert about["mean"]["auc"] == pytest.approx(
        sum(each["auc"] for each in about["attributes"].values()) / len(about["attributes"]), abs=1e-3
    )

    one = ["attribute", *data, "--sample", "4", "--out", str(home / "map.npy"), "--json"]
    assert main([*one, "--regions", str(weights), "--attribute", "Wearing_Hat"]) == 0
    assert said(capsys)["attribute"] == "Wearing_Hat"
    assert main([*one, "--attribute", "Wearing_Hat"]) == 0  # the run's atlas is of these faces
    assert said(capsys)["measure"] == "information_gain"
    assert main([*one, "--regions", str(weights)]) == 1
    assert "say which one is wanted" in capsys.readouterr().err


def test_the_region_classifier_of_one_attribute(
    home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["judge-regions", str(bundled_path("Eyeglasses")), "--data", str(drawn_folder)]
    assert main([*command, "--images", "24"]) == 0
    shown = capsys.readouterr().out
    assert "Eyeglasses" in shown
    assert "1 attribute on 24 faces of the test split, positions chosen on 24 of val: mean AUC 0." in shown
    assert main([*command, "--chosen-on", "test"]) == 1
    assert "cannot judge it: name two splits" in capsys.readouterr().err
    assert main(["judge-regions", str(home / "nothing"), "--data", str(drawn_folder)]) == 1
    assert "is missing" in capsys.readouterr().err
