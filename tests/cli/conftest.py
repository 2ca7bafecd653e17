"""What the commands' tests share: a workspace of their own."""

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))
    return tmp_path
