"""`align`."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from fairsal_core.cli import main
from fairsal_core.drawing import draw_face
from fairsal_core.metrics import wilson
from tests.cli.helpers import said
from tests.conftest import MakeCeleba


@pytest.fixture
def folder(make_celeba: MakeCeleba) -> Path:
    """Six photos of drawn faces but for the first two; Male is every second, from the first on."""
    folder = make_celeba(count=6)
    for number, path in enumerate(sorted((folder / "img_align_celeba").iterdir())):
        scene = Image.new("RGB", (500, 400), "#778899")
        if number not in (0, 2):
            scene.paste(draw_face(seed=99, index=3).image, (40, 60))
        if number == 3:
            scene.paste(draw_face(seed=99, index=5).image, (280, 60))
        scene.save(path)
    return folder


def test_align_counts_and_says_in_which_groups_faces_were_missed(
    home: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "aligned"
    assert main(["align", str(folder), "--out", str(out), "--json"]) == 0
    result = said(capsys)
    assert result["out"] == str(out)
    assert (result["pictures"], result["states"]) == (6, {"aligned": 4, "no face": 2})
    assert result["several_faces"] == 1
    groups = {row["group"]: row for row in result["missed_by_group"]}
    assert (groups["Male"]["pictures"], groups["Male"]["without_a_face"]) == (3, 2)
    assert (groups["not Male"]["pictures"], groups["not Male"]["without_a_face"]) == (3, 0)
    assert (groups["Male"]["low"], groups["Male"]["high"]) == wilson(2, 3)
    assert len(pd.read_csv(out / "alignment" / "pictures.csv")) == 6
    assert main(["align", str(folder), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "6 pictures: 4 aligned, 2 no face" in shown
    assert "1 show several faces" in shown
    assert "Male                              2 of       3   66.7%" in shown
    assert "a miss is a bias too" in shown


def test_a_folder_without_labels_has_no_groups(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    draw_face(seed=99, index=3).image.resize((300, 300)).save(tmp_path / "photos" / "me.png")
    assert main(["align", str(tmp_path / "photos"), "--out", str(tmp_path / "out"), "--json"]) == 0
    result = said(capsys)
    assert result["states"] == {"aligned": 1}
    assert result["missed_by_group"] == []


def test_a_folder_that_is_not_there_is_one_sentence(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", "nowhere", "--out", "elsewhere"]) == 1
    assert capsys.readouterr().err.endswith("nowhere is not a folder.\n")


def test_pack_names_the_command_for_a_set_that_is_not_aligned(
    home: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pack", "--data", str(folder), "--json"]) == 0
    assert f"`fairsal align {folder} --out ANOTHER-FOLDER` aligns it." in said(capsys)["notice"]
    out = tmp_path / "aligned"
    assert main(["align", str(folder), "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["pack", "--data", str(out), "--json"]) == 0
    assert said(capsys)["notice"] == ""
