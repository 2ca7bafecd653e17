"""`data`."""

import json
import zipfile
from pathlib import Path

import pytest

from fairsal_core.cli import main
from fairsal_core.faces import kept_mapping
from fairsal_core.home import cache_folder
from tests.cli.helpers import said
from tests.conftest import MakeCeleba


def test_a_check_proposes_shows_rows_and_keeps(
    home: Path, make_celeba: MakeCeleba, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_celeba(count=30)
    assert main(["data", "check", str(folder), "--json"]) == 0
    about = said(capsys)
    assert (about["faces"], about["format"], about["mapping_is"]) == (30, "celeba", "proposed")
    assert len(about["examples"]) == 12
    assert about["examples"][0]["labels"] == {"Male": "yes", "Blond_Hair": "yes", "Smiling": "yes"}
    assert about["splits"] == {"train": 10, "val": 10, "test": 10}
    about["mapping"]["target"] = "Smiling"
    (tmp_path / "mapping.json").write_text(json.dumps(about))
    assert main(["data", "check", str(folder), "--mapping", str(tmp_path / "mapping.json"), "--keep"]) == 0
    assert "kept in" in capsys.readouterr().out
    kept = kept_mapping(folder)
    assert kept is not None
    assert kept.target == "Smiling"
    assert main(["data", "check", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "the mapping is kept" in text
    assert "Male, binary: 1 = yes, -1 = no" in text
    assert main(["data", "check", str(folder), "--forget", "--json"]) == 0
    assert said(capsys)["mapping_is"] == "proposed"


def test_an_audit_finds_the_same_picture_in_two_splits(
    home: Path, make_celeba: MakeCeleba, capsys: pytest.CaptureFixture[str]
) -> None:
    images = (folder := make_celeba(count=9)) / "img_align_celeba"
    (images / "000002.jpg").write_bytes((images / "000001.jpg").read_bytes())
    (images / "000005.jpg").write_bytes(b"no picture")
    assert main(["data", "audit", str(folder), "--target", "Male", "--json"]) == 0
    about = said(capsys)
    assert about["leaks"]["pictures"]["shown"] == [{"000001.jpg": "train", "000002.jpg": "val"}]
    assert list(about["unreadable"]["shown"]) == ["000005.jpg"]
    assert about["disagreements"]["by_attribute"]["Male"] == 1
    assert [row["attribute"] for row in about["correlations"]]
    assert main(["data", "audit", str(folder)]) == 0
    assert "same picture in two splits: 1" in capsys.readouterr().out


def test_an_audit_looks_for_faces_in_some_pictures_or_in_all(
    home: Path, make_celeba: MakeCeleba, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_celeba(count=9)
    for look, count in (([], 9), (["--look-at", "4"], 4), (["--look-at", "all"], 9), (["--look-at", "0"], 0)):
        assert main(["data", "audit", str(folder), *look, "--json"]) == 0
        assert said(capsys)["frame"]["looked_at"] == count
    with pytest.raises(SystemExit):
        main(["data", "audit", str(folder), "--look-at", "some"])
    capsys.readouterr()
    assert main(["data", "audit", str(folder), "--look-at", "4"]) == 0
    assert "In 4 of 9 pictures, drawn at random, a face was looked for: none was found in " in capsys.readouterr().out


def test_archives_are_unpacked_by_the_command_that_the_sentence_names(
    home: Path, make_celeba: MakeCeleba, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_celeba(count=6)
    images = folder / "img_align_celeba"
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for path in sorted(images.iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")
            path.unlink()
    images.rmdir()
    assert main(["pack", "--data", str(folder)]) == 1
    assert f"`fairsal data unpack {folder}` does it" in capsys.readouterr().err
    assert main(["data", "unpack", str(folder), "--json"]) == 0
    assert list(said(capsys)["unpacked"].values()) == [6]
    assert main(["pack", "--data", str(folder), "--json"]) == 0
    assert said(capsys)["faces"] == 6


def test_a_croissant_is_written_beside_the_packed_set(
    home: Path, make_celeba: MakeCeleba, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "croissant", str(make_celeba(count=6)), "--json"]) == 0
    about = said(capsys)
    assert [each["@id"] for each in about["distribution"]] == ["labels.csv", "images.npy"]
    assert Path(about["croissant"]).is_relative_to(cache_folder())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "nowhere"], "There is no folder"),
        (["unpack", "nowhere"], "There is no archive"),
        (["check", "demo", "--mapping", "nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    home: Path,
    make_celeba: MakeCeleba,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make_celeba(count=6)
    monkeypatch.setattr("fairsal_core.drawing.draw_demo_faces", lambda *args, **options: folder)
    assert main(["data", *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
