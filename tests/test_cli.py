"""The command line: machine-readable on stdout, progress on stderr, one sentence for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fairsal_core import cli
from fairsal_core.cli import build_parser, main
from fairsal_core.experiments import open_maps
from fairsal_core.experiments.reporting import Event
from fairsal_core.faces import draw_face

COMMANDS = ("demo-data", "pack", "train-regions", "attribute", "run", "mitigate", "explain", "runs", "report")
TINY_REGIONS = ["--images", "40", "--epochs", "1", "--validation-images", "20"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_complete_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_a_runs_own_estimate_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the pace of the fraction: what is reused takes no time, and would promise too much."""
    monkeypatch.setattr(cli, "_QUIET_SECONDS", 0)
    tell = cli._tell_events()
    tell(Event(0.0, "faces", 0.4))
    tell(Event(0.1, "original, seed 0", 0.5, "epoch 1 of 6", eta_seconds=90.0))
    assert capsys.readouterr().err.splitlines() == [
        " 40%  faces",
        " 50%  original, seed 0: epoch 1 of 6  (90 s left)",
    ]


def test_as_a_module_it_answers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fairsal_core", "runs", "no-such-run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("fairsal: ")
    assert "Traceback" not in done.stderr


def test_demo_data_draws_into_a_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo-data", "--out", str(home / "drawn"), "--count", "12", "--json"]) == 0
    assert said(capsys) == {"folder": str(home / "drawn"), "faces": 12, "seed": 0}
    assert len(list((home / "drawn" / "img_align_celeba").iterdir())) == 12


def test_pack_counts_and_names_what_does_not_decode(
    home: Path, make_celeba, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_celeba(count=6)
    broken = sorted((folder / "img_align_celeba").iterdir())[2]
    broken.write_bytes(b"no image")
    assert main(["pack", "--data", str(folder), "--json"]) == 0
    result = said(capsys)
    assert result["faces"] == 5
    assert list(result["skipped"]) == [broken.name]


def test_a_folder_that_is_no_celeba_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", "--data", str(home)]) == 1
    assert capsys.readouterr().err.strip().endswith("list_attr_celeba.txt (or list_attr_celeba.csv) is missing.")


def test_regions_are_trained_once_and_map_an_image(
    home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = ["train-regions", "--data", str(drawn_folder), "--attribute", "Eyeglasses", *TINY_REGIONS, "--json"]
    assert main([*training, "--out", str(home / "regions")]) == 0
    trained = said(capsys)["trained"]["Eyeglasses"]
    assert Path(trained["weights"]) == home / "regions" / "Eyeglasses.safetensors"
    assert 0 <= trained["patch_accuracy"] <= 1

    portrait = home / "portrait.png"
    draw_face(seed=1, index=1).image.save(portrait)
    arguments = ["--image", str(portrait), "--regions", trained["weights"], "--out", str(home / "map.npy"), "--json"]
    assert main(["attribute", *arguments]) == 0
    peak = said(capsys)["peak"]
    pixel_map = np.load(home / "map.npy")
    assert pixel_map.shape == (128, 128)
    assert pixel_map[peak["y"], peak["x"]] == pixel_map.max() == 1

    every = [
        "attribute",
        "--data",
        str(drawn_folder),
        "--regions",
        trained["weights"],
        "--split",
        "train",
        "--sample",
        "0",
    ]
    assert main([*every, "--out", str(home / "mean.npy"), "--json"]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert "Mapping 192 faces: about " in output.err
    assert result["images"] == 192
    assert open_maps(Path(result["region_maps"]))[0].shape == (192, 49, 49)
    assert result["left_out"] == 0
    assert main([*every, "--class", "Eyeglasses", "--out", str(home / "with.npy"), "--json"]) == 0
    assert 0 < said(capsys)["images"] < 192
    assert main([*every, "--class", "Eyeglass", "--out", str(home / "with.npy")]) == 1
    assert "did you mean 'Eyeglasses'" in capsys.readouterr().err


def test_an_experiment_runs_to_its_table(home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_a_full_disk_is_one_sentence(small_disk: Path, make_celeba, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", "--data", str(make_celeba(count=12))]) == 1
    assert capsys.readouterr().err.endswith("fairsal: The disk is full: free some space and start again.\n")
