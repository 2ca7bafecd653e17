"""What the commands' tests share: small settings, and what a command said."""

import json

import pytest

TINY_REGIONS = ["--images", "40", "--epochs", "1", "--validation-images", "20"]


def said(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)
