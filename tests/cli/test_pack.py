"""`pack`."""

from pathlib import Path

import pytest

from fairsal_core.cli import main
from tests.cli.helpers import said


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
