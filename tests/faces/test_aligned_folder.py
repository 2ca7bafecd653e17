"""A folder of photos becomes a folder of aligned faces, once."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairsal_core.drawing import draw_face
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import align_face, align_folder, decode_image, find_faces, load_folder, misplacement, pack
from tests.conftest import MakeCeleba


def photo(index: int, turn: float = 0, side: float = 1.0) -> Image.Image:
    face = draw_face(seed=99, index=index).image.resize((round(178 * side), round(218 * side)))
    scene = Image.new("RGB", (600, 400), "#778899")
    scene.paste(face, (180, 60))
    return scene.rotate(turn, fillcolor="#778899")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five pictures, two of them in a folder below, and a table."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    photo(3).save(folder / "a.png")
    photo(5, turn=15).save(folder / "more" / "b.jpg", quality=95)
    Image.new("RGB", (300, 400), "tan").save(folder / "more" / "wall.webp")
    draw_face(seed=99, index=3).image.save(folder / "aligned.jpg")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "people.csv").write_text("image,who\na.png,me\n")
    return folder


def test_each_picture_has_its_row_and_its_aligned_file(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    table = align_folder(photos, out).set_index("image")
    assert table["state"].to_dict() == {
        "a.png": "aligned",
        "aligned.jpg": "already aligned",
        "broken.png": "unreadable",
        "more/b.jpg": "aligned",
        "more/wall.webp": "no face",
    }
    assert (out / "aligned.jpg").read_bytes() == (photos / "aligned.jpg").read_bytes()
    assert (out / "people.csv").read_bytes() == (photos / "people.csv").read_bytes()
    assert not (out / "more" / "wall.webp").exists()
    assert "is not a PNG, JPEG or WebP image" in table.loc["broken.png", "reason"]
    picture = decode_image(photos / "a.png")
    expected, outside = align_face(picture, find_faces(picture)[0])
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a.png")), np.asarray(expected))
    assert table.loc["a.png", "outside"] == pytest.approx(outside.mean(), abs=1e-4)
    turned = Image.open(out / "more" / "b.jpg")
    assert turned.size == (178, 218)
    assert misplacement(find_faces(turned)[0].points) < 8
    assert 5 < abs(table.loc["more/b.jpg", "turn"]) < 25


def test_squeezed_pictures_are_stretched_and_no_face_is_moved(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    folder, out = make_celeba(count=3), tmp_path / "out"
    pictures = [draw_face(seed=99, index=number).image for number in range(3)]
    for picture, path in zip(pictures, sorted((folder / "img_align_celeba").iterdir()), strict=True):
        picture.resize((128, 128)).save(path.with_suffix(".png"))
        path.unlink()
    pictures[0].save(folder / "img_align_celeba" / "000001.png")
    assert "stretched" not in align_folder(folder, out)["state"].tolist()
    table = align_folder(folder, out, stretch=True)
    assert table["state"].tolist() == ["already aligned", "stretched", "stretched"]
    squeezed = Image.open(folder / "img_align_celeba" / "000002.png")
    found = np.asarray(Image.open(out / "img_align_celeba" / "000002.png"))
    np.testing.assert_array_equal(found, np.asarray(squeezed.resize((178, 218), Image.Resampling.BICUBIC)))
    assert pack(load_folder(out), tmp_path / "cache").images.shape == (3, 128, 128, 3)


def test_what_was_done_is_not_done_again(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    first = align_folder(photos, out)
    looked_at: list[str] = []

    def counting(path: Path) -> Image.Image:
        looked_at.append(path.name)
        return decode_image(path)

    monkeypatch.setattr("fairsal_core.faces.aligned_folder.decode_image", counting)
    again = align_folder(photos, out)
    assert looked_at == []
    assert again.to_csv() == first.to_csv()
    (out / "a.png").unlink()
    photo(7).save(photos / "more" / "b.jpg")
    with (out / "alignment" / "log.jsonl").open("a") as log:
        log.write('{"image": "aligned.j')  # killed while it wrote
    align_folder(photos, out)
    assert sorted(looked_at) == ["a.png", "b.jpg"]
    assert (out / "a.png").is_file()


def test_a_stopped_one_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(4):
        draw_face(seed=99, index=number).image.save(folder / f"{number}.png")
    monkeypatch.setattr("fairsal_core.faces.aligned_folder._CHUNK", 2)

    def stop(done: float, total: float, message: str = "") -> None:
        if done >= 2:
            raise CancelledError

    with pytest.raises(CancelledError):
        align_folder(folder, out, stop)
    done = [json.loads(line)["image"] for line in (out / "alignment" / "log.jsonl").read_text().splitlines()]
    assert done == ["0.png", "1.png"]
    assert len(align_folder(folder, out)) == 4


def test_a_labelled_set_stays_one(make_celeba: MakeCeleba, tmp_path: Path) -> None:
    folder = make_celeba(count=6)
    names = sorted(path.name for path in (folder / "img_align_celeba").iterdir())
    for number, name in enumerate(names):
        (photo(3 + number) if number else Image.new("RGB", (300, 400), "tan")).save(folder / "img_align_celeba" / name)
    Image.new("RGB", (178, 218)).save(folder / "cover.png")  # the tables do not list it
    out = tmp_path / "out"
    table = align_folder(folder, out)
    assert list(table["image"]) == [f"img_align_celeba/{name}" for name in names]
    assert (table["state"] == "no face").to_list()[0]
    before, after = load_folder(folder), load_folder(out)
    assert list(after.names) == names[1:]  # without the picture in which there was no face
    assert before.attributes.loc[after.names].equals(after.attributes)
    packed = pack(after, tmp_path / "cache")
    assert set(packed.names) == {name for name, state in zip(names, table["state"], strict=True) if state == "aligned"}


def test_folders_that_do_not_do_are_one_sentence(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(FairsalError, match="lie in each other"):
        align_folder(photos, photos / "aligned")
    with pytest.raises(FairsalError, match="lie in each other"):
        align_folder(photos, tmp_path)
    with pytest.raises(FairsalError, match="is not a folder"):
        align_folder(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FairsalError, match="There is no picture"):
        align_folder(tmp_path / "empty", tmp_path / "out")


def test_a_link_out_of_the_folder_is_not_followed(photos: Path, tmp_path: Path) -> None:
    shutil.copyfile(photos / "a.png", tmp_path / "secret.png")
    (photos / "link.png").symlink_to(tmp_path / "secret.png")
    table = align_folder(photos, tmp_path / "out").set_index("image")
    assert table.loc["link.png", "reason"] == "link.png is a link out of the folder."
