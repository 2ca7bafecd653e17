"""A reader that leaves (`| head`, a closed pager) ends nothing: real processes on real pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairsal_core.cli.progress import show_progress
from fairsal_core.runs import list_runs
from fairsal_core.runs.store import create_run
from tests.cli.helpers import TINY_REGIONS

PROGRAM = [sys.executable, "-m", "fairsal_core"]


def test_a_training_goes_on_when_nobody_reads(home: Path, drawn_folder: Path) -> None:
    """`train-regions ... 2>&1 | head -1`."""
    arguments = ["train-regions", "--data", str(drawn_folder), "--attribute", "Eyeglasses", *TINY_REGIONS]
    reading, writing = os.pipe()
    training = subprocess.Popen([*PROGRAM, *arguments, "--out", str(home / "out")], stdout=writing, stderr=writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        assert "%" in pipe.readline()
    assert training.wait(timeout=120) == 0
    assert (home / "out" / "Eyeglasses.safetensors").is_file()
    assert (home / "home" / "runs").is_dir()


def test_results_come_whole_when_nobody_reads_the_progress(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    drawing = [*PROGRAM, "demo-data", "--count", "5", "--out", str(home / "drawn"), "--json"]
    done = subprocess.run(drawing, stdout=subprocess.PIPE, stderr=writing, timeout=120, check=False)
    os.close(writing)
    assert done.returncode == 0
    assert json.loads(done.stdout)["faces"] == 5


def test_results_that_nobody_reads_are_no_failure(home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*PROGRAM, "runs"], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_results_that_find_no_room_are_one_sentence(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "runs"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "fairsal: The disk is full: free some space and start again.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_progress_that_finds_no_room_ends_nothing(home: Path) -> None:
    drawing = [*PROGRAM, "demo-data", "--count", "5", "--out", str(home / "drawn")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(drawing, stdout=subprocess.PIPE, stderr=full, text=True, timeout=120, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("5 faces in ")


NAME = "Fr\u00e4ulein \x1b[31mred\n20990101-000000-forged  finished"


@pytest.fixture
def named(home: Path) -> str:
    """The id of a run with a name that is no good."""
    return create_run("experiment", {}, home / "home" / "runs", NAME).name


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"PYTHONIOENCODING": "ascii"}, r"Fr\xe4ulein \x1b[31mred 20990101-000000-forged finished"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, r"Fr\xe4ulein \x1b[31mred"),
        ({"PYTHONIOENCODING": "utf-8"}, "Fr\u00e4ulein \\x1b[31mred 20990101-000000-forged finished"),
    ],
)
def test_any_terminal_lists_any_name_on_a_line(environment: dict[str, str], name: str, named: str) -> None:
    listing = [*PROGRAM, "runs"]
    done = subprocess.run(listing, capture_output=True, env={**os.environ, **environment}, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    (line,) = done.stdout.decode(environment.get("PYTHONIOENCODING", "ascii")).splitlines()
    assert line.startswith(named)
    assert name in line


@pytest.fixture
def running(home: Path, drawn_folder: Path) -> list[str]:
    """The command line of a small experiment."""
    config = home / "config.json"
    regions = {"images": 40, "epochs": 1, "validation_images": 20}
    config.write_text(json.dumps({"data": str(drawn_folder), "schemes": ["general_mask@0.7"], "regions": regions}))
    options = ["--counts", "0,12,8,4", "--test-per-cell", "1", "--epochs", "1", "--balanced", "false"]
    return [*PROGRAM, "run", "--config", str(config), *options, "--explainers", "none", "--device", "cpu"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_run_goes_on_with_closed_streams(closed: str, running: list[str], home: Path) -> None:
    """The next files to be opened would take their places, and be written into."""
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    done = subprocess.run([*shell, *running], capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (0, False), done.stderr
    (run,) = list_runs(home / "home" / "runs")
    assert run.status.state == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_run_goes_on_where_nothing_fits(running: list[str], home: Path) -> None:
    """`run ... > /dev/full 2>&1`: its results are in its directory, and that they could not be shown is its exit status."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(running, stdout=full, stderr=full, timeout=200, check=False)
    assert done.returncode == 1
    (run,) = list_runs(home / "home" / "runs")
    assert run.status.state == "finished"


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["runs", "--json"]])
def test_help_that_nobody_reads_is_no_failure(arguments: list[str], home: Path) -> None:
    """`run --help | true`."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*PROGRAM, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistyped_word_is_spelled_out(home: Path) -> None:
    done = subprocess.run([*PROGRAM, "runs", "x", "\x1b[2J"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "\\x1b[2J" in done.stderr


def test_progress_spells_names_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_progress()(1, 1, "Packing \x1b[31mred\nfaces")
    assert capsys.readouterr().err == "100%  Packing \\x1b[31mred faces\n"
