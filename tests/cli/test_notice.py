"""Every command that loads a set says, once and on stderr, that it is not aligned, and what aligns it."""

import json
from pathlib import Path

import pytest
from PIL import Image

from fairsal_core.cli import main
from fairsal_core.faces import frame_check
from tests.cli.helpers import TINY_REGIONS
from tests.conftest import MakeCeleba

TOO_MANY = ["--counts", "0,900,1,1"]


@pytest.fixture
def photos(make_celeba: MakeCeleba, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve wide pictures, of which nothing was said yet."""
    monkeypatch.setattr(frame_check, "_told", set())
    folder = make_celeba(count=12)
    for path in (folder / "img_align_celeba").iterdir():
        Image.new("RGB", (600, 400), "tan").save(path)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ["pack"],
        ["data", "audit"],
        ["attribute", "--attribute", "Smiling", "--out", "map.npy"],
        ["train-regions", "--attribute", "Smiling", *TINY_REGIONS, "--out", "regions"],
        ["run", "--confounder", "Blond_Hair", *TOO_MANY],
        ["sweep", "--config", "sweep.json"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_it_is_said_once(
    arguments: list[str], home: Path, photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    trial = {"confounder": "Blond_Hair", "counts": "0,900,1,1", "schemes": [], "data": str(photos)}
    Path("sweep.json").write_text(json.dumps({"name": "s", "trials": [trial]}))
    given = [] if arguments[0] == "sweep" else [str(photos)] if arguments[0] == "data" else ["--data", str(photos)]
    main([*arguments, *given])
    output = capsys.readouterr()
    assert output.err.count("is not in CelebA's frame") == 1
    assert output.err.count(f"`fairsal align {photos} --out ANOTHER-FOLDER` aligns it.") == 1
    assert "CelebA's frame" not in output.out


def test_check_says_it_beside_the_columns(photos: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(photos), "--json"]) == 0
    notice = json.loads(capsys.readouterr().out)["notice"]
    assert "12 have another shape than 178:218 and lose 46% at their edges" in notice
    assert main(["data", "check", str(photos)]) == 0
    assert notice in capsys.readouterr().out
