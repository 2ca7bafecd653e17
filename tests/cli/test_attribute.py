"""`train-regions`, and `attribute` with what it made."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairsal_core.cli import main
from fairsal_core.drawing import draw_face
from fairsal_core.faces import aligned_square, find_faces, to_square
from fairsal_core.regions import DEFAULT_MEASURE, bundled_path, load_atlas, min_max, region_maps, to_pixel_map
from fairsal_core.scaling import open_maps
from tests.cli.helpers import TINY_REGIONS, said


def test_regions_are_trained_once_and_map_an_image(
    home: Path, drawn_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = ["train-regions", "--data", str(drawn_folder), "--attribute", "Eyeglasses", *TINY_REGIONS, "--json"]
    assert main([*training, "--out", str(home / "regions")]) == 0
    trained = said(capsys)["trained"]["Eyeglasses"]
    assert Path(trained["weights"]) == home / "regions" / "Eyeglasses.safetensors"
    assert 0 <= trained["patch_accuracy"] <= 1

    portrait = home / "portrait.png"
    draw_face(seed=1, index=1).image.save(portrait)
    arguments = ["--image", str(portrait), "--regions", trained["weights"], "--out", str(home / "map.npy"), "--json"]
    assert main(["attribute", *arguments]) == 0
    peak = said(capsys)["peak"]
    pixel_map = np.load(home / "map.npy")
    assert pixel_map.shape == (128, 128)
    assert pixel_map[peak["y"], peak["x"]] == pixel_map.max() == 1

    every = [
        "attribute",
        "--data",
        str(drawn_folder),
        "--regions",
        trained["weights"],
        "--split",
        "train",
        "--sample",
        "0",
    ]
    assert main([*every, "--out", str(home / "mean.npy"), "--json"]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert "Mapping 192 faces: about " in output.err
    assert result["images"] == 192
    assert open_maps(Path(result["region_maps"]))[0].shape == (192, 49, 49)
    assert result["left_out"] == 0
    assert main([*every, "--class", "Eyeglasses", "--out", str(home / "with.npy"), "--json"]) == 0
    assert 0 < said(capsys)["images"] < 192
    assert main([*every, "--class", "Eyeglass", "--out", str(home / "with.npy")]) == 1
    assert "did you mean 'Eyeglasses'" in capsys.readouterr().err


def map_of(path: Path, home: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[np.ndarray, dict]:
    """Return what `attribute --image` makes of a photo with the bundled atlas: the map, and what it says."""
    arguments = ["attribute", "--image", str(path), "--attribute", "Smiling", "--out", str(home / "map.npy"), "--json"]
    assert main([*arguments, *more]) == 0
    return np.load(home / "map.npy"), said(capsys)


def map_of_pixels(pixels: np.ndarray) -> np.ndarray:
    classifier = load_atlas().of("Smiling")
    return min_max(to_pixel_map(region_maps(classifier, pixels[None], DEFAULT_MEASURE)[0], classifier.grid))


@pytest.fixture
def party(home: Path) -> Path:
    """A wide photo of two drawn people, the nearer one at the right and cut by the upper edge."""
    scene = Image.new("RGB", (1000, 560), "#778899")
    scene.paste(draw_face(seed=99, index=5).image.resize((120, 147)), (120, 260))
    scene.paste(draw_face(seed=99, index=3).image.resize((230, 282)), (600, -40))
    scene.save(home / "party.png")
    return home / "party.png"


def test_the_largest_face_of_a_photo_is_found_and_aligned(
    home: Path, party: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, about = map_of(party, home, capsys)
    picture = Image.open(party)
    faces = find_faces(picture)
    _, outside = aligned_square(picture, faces[0])
    assert about["photo"]["state"] == "aligned"
    assert about["photo"]["faces"] == 2
    assert about["photo"]["box"] == pytest.approx(faces[0].box, abs=0.06)
    assert outside is not None and 0 < about["photo"]["outside"] == round(float(outside.mean()), 4)
    assert np.isnan(found[outside]).all()
    assert np.nanmax(found) == 1 and np.nanmin(found) == 0
    assert "party.png shows 2 faces: the largest is taken" in about["notes"][0]
    assert about["trained_on"] == {"name": "celeba_sample", "train_faces": 9842}

    other, about = map_of(party, home, capsys, "--face", "2")
    assert about["photo"]["box"] == pytest.approx(faces[1].box, abs=0.06)
    assert not np.array_equal(other, found, equal_nan=True)


def test_what_it_was_trained_on_is_said_above_the_map(
    home: Path, party: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(home / "map.npy")
    assert main(["attribute", "--image", str(party), "--attribute", "Smiling", "--out", out]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Trained on 9,842 faces of celeba_sample; its map says what it learned there.")
    assert lines[-1].startswith("Map of Smiling over 1 image(s)")
    drawn = ["--regions", str(bundled_path("Smiling"))]
    assert main(["attribute", "--image", str(party), "--attribute", "Smiling", "--out", out, *drawn]) == 0
    said_above = capsys.readouterr().out.splitlines()[0]
    assert said_above.startswith("Trained on 4,800 faces of demo, which are drawn: it has never seen a photo")


def test_a_picture_that_is_aligned_is_taken_bit_for_bit(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = draw_face(seed=99, index=3).image
    picture.save(home / "aligned.png")
    found, about = map_of(home / "aligned.png", home, capsys)
    assert about["photo"]["state"] == "already aligned"
    np.testing.assert_array_equal(found, map_of_pixels(to_square(picture)))


def test_without_a_face_that_is_said_and_no_percentage(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = Image.new("RGB", (600, 400), "#778899")
    scene.paste("tan", (300, 100, 400, 300))
    scene.save(home / "wall.png")
    arguments = ["attribute", "--image", str(home / "wall.png"), "--attribute", "Smiling", "--out", str(home / "m.npy")]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "No face was found in wall.png: the map is of its middle, and says nothing about a face." in shown
    assert "%" not in shown
    found, about = map_of(home / "wall.png", home, capsys, "--crop", "250,50,178,218")
    assert about["photo"] == {"state": "by hand", "crop": [250, 50, 178, 218], "outside": 0.0}
    np.testing.assert_array_equal(found, map_of_pixels(to_square(scene.crop((250, 50, 428, 268)))))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--face", "3"], "party.png shows 2 faces, so there is no face 3 in it."),
        (["--crop", "900,0,178,218"], "reaches outside of party.png, 1000 x 560 pixels."),
    ],
)
def test_a_face_or_a_part_that_is_not_there_is_one_sentence(
    arguments: list[str], sentence: str, party: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(party.with_name("map.npy"))
    assert main(["attribute", "--image", str(party), "--attribute", "Smiling", "--out", out, *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_a_crop_is_of_an_image(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attribute", "--attribute", "Smiling", "--crop", "0,0,9,9", "--out", str(home / "map.npy")]) == 1
    assert "add --image FILE" in capsys.readouterr().err
