"""Where things live follows two environment variables."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairsal_core import cli, home
from fairsal_core.errors import FairsalError
from fairsal_core.runs import store


def test_the_default_is_workspace_in_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FAIRSAL_HOME")
    monkeypatch.chdir(tmp_path)
    assert home.workspace() == tmp_path / "workspace"
    assert not (tmp_path / "workspace").exists()


def test_all_folders_are_below_the_configured_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "x" / ".." / "y"))
    folders = (home.datasets_folder(), home.cache_folder(), home.runs_folder())
    assert folders == tuple(tmp_path / "y" / name for name in ("datasets", "cache", "runs"))


def test_data_roots_are_separated_like_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", os.pathsep.join([str(tmp_path / "a"), "", " ", "~/b"]))
    assert home.data_roots() == (tmp_path / "a", Path.home() / "b")


def test_no_data_roots_are_configured_by_default() -> None:
    assert home.data_roots() == ()


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("", "FAIRSAL_HOME is empty: set it to a folder"),
        (" ", "FAIRSAL_HOME is empty"),
        ("a-file", "but .*a-file is no folder: set it to one, or unset it"),
        ("a-file/below/it", "but .*a-file is no folder"),
        ("a-loop", "FAIRSAL_HOME (names a-loop, which is nowhere|is a-loop, but .*a-loop is no folder)"),
        ("~nobody-of-this-name/faces", "FAIRSAL_HOME names ~nobody-of-this-name/faces, which is nowhere"),
    ],
)
def test_what_is_no_folder_is_one_sentence(
    named: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    drawn_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a-file").write_text("mine")
    (tmp_path / "a-loop").symlink_to(tmp_path / "a-loop")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRSAL_HOME", named)
    with pytest.raises(FairsalError, match=sentence):
        home.workspace()
    for command in (["runs"], ["pack", "--data", str(drawn_folder)], ["demo-data", "--count", "5"]):
        assert cli.main(command) == 1
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert said.err.startswith("fairsal: FAIRSAL_HOME")


def test_a_worker_says_so_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = store.create_run("experiment", {"device": "cpu"}, tmp_path / "runs")
    store.update_status(run, state="queued")
    monkeypatch.setenv("FAIRSAL_HOME", "")
    worker = [sys.executable, "-m", "fairsal_core.runs.worker", str(run)]
    done = subprocess.run(worker, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert store.load_run(run).status.error == "FAIRSAL_HOME is empty: set it to a folder, or unset it for ./workspace."


def test_a_data_root_of_nobody_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", "~nobody-of-this-name/faces")
    with pytest.raises(FairsalError, match="FAIRSAL_DATA_ROOTS names ~nobody"):
        home.data_roots()
