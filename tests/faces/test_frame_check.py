"""Sets whose faces lie elsewhere than CelebA's are noticed, from a few of their pictures."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fairsal_core.drawing import draw_face
from fairsal_core.faces import FaceDataset, frame_notice, load_celeba
from fairsal_core.faces.frame_check import tell_of_frame
from fairsal_core.progress import was_told
from tests.conftest import MakeCeleba


def filled(folder: Path, make: object) -> FaceDataset:
    """Return a set whose pictures are what `make` gives for each number."""
    faces = load_celeba(folder)
    for number, name in enumerate(faces.names):
        make(number).save(faces.image_folder / name)  # type: ignore[operator]
    return faces


def wide(number: int) -> Image.Image:
    scene = Image.new("RGB", (600, 400), "#778899")
    scene.paste(draw_face(seed=99, index=number).image, (320, 150))
    return scene


def square(number: int) -> Image.Image:
    return draw_face(seed=99, index=number).image.crop((0, 20, 178, 198))


def test_pictures_of_the_frame_s_size_need_no_look(make_celeba: MakeCeleba, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("fairsal_core.faces.frame_check.find_faces", None)
    assert frame_notice(load_celeba(make_celeba()), tmp_path / "cache") == ""


def test_aligned_pictures_of_another_size_are_fine(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = filled(make_celeba(), lambda number: draw_face(seed=99, index=number).image.resize((356, 436)))
    assert frame_notice(faces, tmp_path / "cache") == ""


def test_wide_photos_are_noticed(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = filled(make_celeba(), wide)
    notice = frame_notice(faces, tmp_path / "cache")
    assert notice.startswith("img_align_celeba is not in CelebA's frame. Of 6 pictures looked at, 6 have another shape")
    assert "lose 46% at their edges" in notice
    assert f"`fairsal align {faces.root} --out ANOTHER-FOLDER` aligns it." in notice


def test_squares_are_noticed(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    assert "6 have another shape than 178:218 and lose 18% at their edges" in frame_notice(
        filled(make_celeba(), square), tmp_path / "cache"
    )


def test_pictures_without_faces_are_noticed(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = filled(make_celeba(), lambda number: Image.new("RGB", (356, 436), "tan"))
    assert "no face was found in 6" in frame_notice(faces, tmp_path / "cache")


def test_faces_in_another_place_are_noticed(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    def low(number: int) -> Image.Image:
        scene = Image.new("RGB", (356, 436), "#778899")
        scene.paste(draw_face(seed=99, index=number).image, (150, 200))
        return scene

    assert "pixels from where region classifiers" in frame_notice(filled(make_celeba(), low), tmp_path / "cache")


def test_what_was_found_is_kept_until_the_folder_changes(
    make_celeba: MakeCeleba, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = filled(make_celeba(), square)
    notice = frame_notice(faces, tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr("fairsal_core.faces.frame_check._look", None)
        assert frame_notice(faces, tmp_path / "cache") == notice
    (faces.image_folder / "new.jpg").touch()
    assert frame_notice(filled(faces.root, lambda number: square(number).resize((178, 218))), tmp_path / "cache") == ""


def test_no_faces_and_no_files_say_nothing(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    faces = load_celeba(make_celeba())
    assert frame_notice(faces.take([]), tmp_path / "cache") == ""
    gone = replace(faces, image_folder=tmp_path / "nowhere")
    assert frame_notice(gone, tmp_path / "cache") == ""


def test_it_is_told_once(make_celeba: MakeCeleba, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = filled(make_celeba(), square)
    notice = frame_notice(faces, tmp_path / "cache")
    heard: list[str] = []
    for _ in range(2):
        tell_of_frame(faces, tmp_path / "cache", lambda done, total, message="": heard.append(message))
    assert heard == [notice]
    assert capsys.readouterr().err == f"{notice}\n"
    assert was_told(notice)


@pytest.mark.real
@pytest.mark.parametrize("squeezed", [True, False])
def test_frames_squeezed_to_squares_are_told_from_squares_cut_out_of_them(
    celeba_sample: Path, make_celeba: MakeCeleba, tmp_path: Path, squeezed: bool
) -> None:
    files = sorted((celeba_sample / "img_align_celeba").iterdir())[::500]

    def make(number: int) -> Image.Image:
        picture = Image.open(files[number])
        return picture.resize((128, 128)) if squeezed else picture.crop((0, 20, 178, 198)).resize((128, 128))

    faces = filled(make_celeba(count=20), make)
    notice = frame_notice(faces, tmp_path / "cache")
    assert "lose 18% at their edges" in notice
    assert ("frame squeezed to squares" in notice) == squeezed
    assert ("ANOTHER-FOLDER --stretch` stretches them back." in notice) == squeezed
