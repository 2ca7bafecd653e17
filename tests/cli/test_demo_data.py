"""`demo-data`."""

from pathlib import Path

import pytest

from fairsal_core.cli import main
from tests.cli.helpers import said


def test_demo_data_draws_into_a_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo-data", "--out", str(home / "drawn"), "--count", "12", "--json"]) == 0
    assert said(capsys) == {"folder": str(home / "drawn"), "faces": 12, "seed": 0}
    assert len(list((home / "drawn" / "img_align_celeba").iterdir())) == 12
