"""Where things live follows two environment variables."""

import os
from pathlib import Path

import pytest

from fairsal_core import home


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
