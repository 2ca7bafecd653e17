"""Demo faces: layout, exact part labels, independence of labels, and a set that is either complete or absent."""

import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.faces import demo
from fairsal_core.faces.demo import (
    CELEBA_ATTRIBUTES,
    DRAWN_ATTRIBUTES,
    PARTS,
    draw_demo_faces,
    draw_face,
    draw_labels,
    split_of,
)

COUNT = 60
OWN_PART = {
    "Eyeglasses": {"eye_g"},
    "Wearing_Hat": {"hat"},
    "Wearing_Necktie": {"necktie"},
    "Smiling": {"mouth", "u_lip", "l_lip"},
    "Mouth_Slightly_Open": {"mouth", "u_lip", "l_lip"},
    "Blond_Hair": {"hair"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_demo_faces(tmp_path_factory.mktemp("demo") / "faces", COUNT, seed=3, workers=1)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.parent.iterdir() if path != root]


def test_there_are_celebas_forty_columns() -> None:
    assert len(CELEBA_ATTRIBUTES) == len(set(CELEBA_ATTRIBUTES)) == 40
    assert set(DRAWN_ATTRIBUTES) <= set(CELEBA_ATTRIBUTES)


def test_layout_parses_back(folder: Path) -> None:
    count, columns, *rows = (folder / "list_attr_celeba.txt").read_text().splitlines()
    assert int(count) == len(rows) == COUNT
    assert tuple(columns.split()) == CELEBA_ATTRIBUTES
    for index, row in enumerate(rows, start=1):
        name, *values = row.split()
        assert name == f"{index:06d}.jpg"
        assert set(values) <= {"1", "-1"}
        drawn = {column for column, value in zip(CELEBA_ATTRIBUTES, values, strict=True) if value == "1"}
        assert drawn == {label for label, present in draw_labels(3, index).items() if present}


def test_every_face_has_a_picture_and_parts_of_celebas_size(folder: Path) -> None:
    names = [f"{index:06d}" for index in range(1, COUNT + 1)]
    assert sorted(path.stem for path in (folder / "img_align_celeba").iterdir()) == names
    assert sorted(path.stem for path in (folder / "parts").iterdir()) == names
    for name in names:
        with Image.open(folder / "img_align_celeba" / f"{name}.jpg") as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (178, 218))
        with Image.open(folder / "parts" / f"{name}.png") as parts:
            assert (parts.format, parts.mode, parts.size) == ("PNG", "L", (178, 218))
            assert set(np.unique(np.asarray(parts)).tolist()) <= set(PARTS.values())


def test_the_files_hold_what_was_drawn(folder: Path) -> None:
    for index in range(1, 11):
        face = draw_face(3, index)
        with Image.open(folder / "parts" / f"{index:06d}.png") as parts:
            assert parts.tobytes() == face.parts.tobytes()
        with Image.open(folder / "img_align_celeba" / f"{index:06d}.jpg") as image:
            error = np.abs(np.asarray(image, dtype=float) - np.asarray(face.image, dtype=float))
        assert error.mean() < 8  # JPEG of noise


def test_a_face_is_placed_shape_by_shape_as_it_is_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = [draw_face(4, index) for index in range(1, 6)]
    fill, stroke = demo._Canvas.fill, demo._Canvas.stroke
    monkeypatch.setattr(demo._Canvas, "fill", lambda self, *what, **how: (fill(self, *what, **how), self.finish()))
    monkeypatch.setattr(demo._Canvas, "stroke", lambda self, *what, **how: (stroke(self, *what, **how), self.finish()))
    for index, face in enumerate(together, start=1):
        assert draw_face(4, index).parts.tobytes() == face.parts.tobytes()


def test_curves_go_through_their_points() -> None:
    points = np.random.default_rng(0).normal(size=(7, 2))
    assert np.allclose(demo._closed(points)[:: demo._STEPS], points)
    assert np.allclose(demo._open(points)[:: demo._STEPS], points)
    # Halfway between two points of a Catmull-Rom spline: (-1, 9, 9, -1) / 16 of the four around.
    halfway = (9 * (points[2] + points[3]) - points[1] - points[4]) / 16
    assert np.allclose(demo._closed(points)[2 * demo._STEPS + demo._STEPS // 2], halfway)


def test_softening_is_pillows_box_blur() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 218, 178)).astype(np.float32)
    pillows = [Image.fromarray(plane.astype(np.uint8)).filter(ImageFilter.BoxBlur(0.4)) for plane in pixels]
    demo._soften(pixels, 0.4)
    assert np.abs(pixels - np.stack([np.asarray(plane) for plane in pillows])).max() <= 1.5  # it rounds after each axis


def test_enlarging_is_pillows_bilinear() -> None:
    room = Image.fromarray(np.random.default_rng(0).integers(0, 256, (55, 45, 3), dtype=np.uint8))
    pillows = np.asarray(room.resize((178, 218), Image.Resampling.BILINEAR), dtype=int)
    assert np.abs(np.asarray(demo._enlarged(room), dtype=int) - pillows).max() <= 5  # weights in 64ths


def test_all_faces_and_identities_differ(folder: Path) -> None:
    pictures = {path.read_bytes() for path in (folder / "img_align_celeba").iterdir()}
    identities = [line.split()[1] for line in (folder / "identity_CelebA.txt").read_text().splitlines()]
    assert len(pictures) == len(set(identities)) == COUNT


def test_workers_change_no_byte_and_a_small_set_is_the_start_of_a_large_one(folder: Path, tmp_path: Path) -> None:
    spawned = contents(draw_demo_faces(tmp_path / "spawned", 55, seed=3, workers=2))
    alone = contents(folder)
    pictures = [name for name in spawned if "/" in name]
    assert len(pictures) == 2 * 55
    assert all(spawned[name] == alone[name] for name in pictures)
    for table in ("list_eval_partition.txt", "identity_CelebA.txt"):
        assert alone[table].startswith(spawned[table])


def test_seeds_give_different_faces() -> None:
    assert draw_face(0, 1).image.tobytes() != draw_face(1, 1).image.tobytes()
    assert draw_labels(0, 1) == draw_face(0, 1).attributes


def test_parts_are_there_exactly_when_their_label_is() -> None:
    for index in range(1, 41):
        face = draw_face(5, index)
        counts = np.bincount(np.asarray(face.parts).ravel(), minlength=20)
        for label, part in (("Eyeglasses", "eye_g"), ("Wearing_Hat", "hat"), ("Wearing_Necktie", "necktie")):
            assert (counts[PARTS[part]] > 60) == (counts[PARTS[part]] > 0) == face.attributes[label]
        for part in ("mouth", "u_lip", "l_lip", "hair", "skin", "nose", "cloth", "background"):
            assert counts[PARTS[part]] > 0, part


@pytest.mark.parametrize("label", OWN_PART)
def test_a_label_shows_in_its_own_part_only(label: str) -> None:
    """The ground truth of every map: the same face with and without differs in the part, and nowhere else."""
    own = [PARTS[name] for name in OWN_PART[label]]
    for index in range(1, 13):
        with_it, without = (draw_face(2, index, {**no_other_hair(label), label: value}) for value in (True, False))
        part = np.isin(np.asarray(with_it.parts), own) | np.isin(np.asarray(without.parts), own)
        changed = (np.asarray(with_it.image, dtype=int) != np.asarray(without.image, dtype=int)).any(axis=2)
        assert changed[part].any()
        # A tip thinner than a pixel tints the picture where the sampled label misses it: a handful of 38,804 pixels.
        assert np.count_nonzero(changed[~grown(part)]) <= 6


def no_other_hair(label: str) -> dict[str, bool]:
    return dict.fromkeys(("Black_Hair", "Brown_Hair", "Gray_Hair"), False) if label == "Blond_Hair" else {}


def grown(part: np.ndarray, by: int = 2) -> np.ndarray:
    """Return the mask with a rim: the edge pixel that is half covered, and the blur of at most one more."""
    padded = np.pad(part, by)
    height, width = part.shape
    steps = range(2 * by + 1)
    return np.any([padded[y : y + height, x : x + width] for y in steps for x in steps], axis=0)


def test_labels_are_drawn_independently() -> None:
    labels = [draw_labels(0, index) for index in range(1, 3001)]
    names = ("Male", "Blond_Hair", "Eyeglasses", "Smiling", "Wearing_Hat", "Wearing_Necktie", "Bangs")
    table = {name: np.array([row[name] for row in labels], dtype=float) for name in names}
    for name, values in table.items():
        assert 0.35 < values.mean() < 0.55, name
    for one, other in combinations(names, 2):
        # Phi of 3,000 independent draws has a standard deviation of 0.018.
        assert abs(np.corrcoef(table[one], table[other])[0, 1]) < 0.075, (one, other)


def test_hair_colours_exclude_each_other() -> None:
    hair = ("Blond_Hair", "Black_Hair", "Brown_Hair", "Gray_Hair")
    assert {sum(draw_labels(1, index)[name] for name in hair) for index in range(1, 301)} == {0, 1}


def test_split_is_eight_one_one_in_every_ten() -> None:
    splits = [split_of(0, index) for index in range(1, 201)]
    for start in range(0, 200, 10):
        block = splits[start : start + 10]
        assert (block.count(0), block.count(1), block.count(2)) == (8, 1, 1)
    assert splits[:100] == [split_of(0, index) for index in range(1, 101)]
    assert splits != [split_of(1, index) for index in range(1, 201)]


def test_a_complete_set_is_kept_and_another_one_redrawn(tmp_path: Path) -> None:
    root = draw_demo_faces(tmp_path / "faces", 3, seed=0)
    marked = root / "img_align_celeba" / "000001.jpg"
    marked.write_bytes(b"touched")
    draw_demo_faces(root, 3, seed=0)
    assert marked.read_bytes() == b"touched"
    draw_demo_faces(root, 4, seed=0)
    assert marked.read_bytes() != b"touched"
    assert json.loads((root / "demo.json").read_text())["count"] == 4
    assert leftovers(root) == []


def test_an_interrupted_set_is_redrawn(tmp_path: Path) -> None:
    whole = contents(draw_demo_faces(tmp_path / "whole", 3))
    root = draw_demo_faces(tmp_path / "faces", 3)
    (root / "demo.json").unlink()
    (root / "img_align_celeba" / "000002.jpg").unlink()
    assert contents(draw_demo_faces(root, 3)) == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_cancelling_leaves_nothing(tmp_path: Path, workers: int) -> None:
    def cancel(done: float, total: float, message: str = "") -> None:
        if done > 0:
            raise CancelledError

    with pytest.raises(CancelledError):
        draw_demo_faces(tmp_path / "faces", 60, progress=cancel, workers=workers)
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    calls: list[tuple[float, float]] = []
    draw_demo_faces(tmp_path / "faces", 52, progress=lambda done, total, message="": calls.append((done, total)))
    assert calls == [(0, 52), (50, 52), (52, 52)]


def test_someone_elses_pictures_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "img_align_celeba" / "000001.jpg"
    theirs.parent.mkdir()
    theirs.write_bytes(b"precious")
    with pytest.raises(FairsalError, match="not a set of demo faces"):
        draw_demo_faces(tmp_path, 3)
    assert theirs.read_bytes() == b"precious"


def test_the_loser_of_a_race_discards_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "faces"
    draw_all = demo._draw_all

    def overtaken(*arguments: object) -> None:
        draw_all(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(demo, "_draw_all", draw_all)
        draw_demo_faces(root, 3)
        (root / "winner").touch()

    monkeypatch.setattr(demo, "_draw_all", overtaken)
    assert draw_demo_faces(root, 3) == root
    assert (root / "winner").exists()
    assert leftovers(root) == []


def test_an_abandoned_folder_is_swept(tmp_path: Path) -> None:
    abandoned = tmp_path / ".faces.drawing-dead"
    abandoned.mkdir()
    os.utime(abandoned, (0, 0))
    draw_demo_faces(tmp_path / "faces", 1)
    assert not abandoned.exists()


@pytest.mark.parametrize(("count", "seed", "workers"), [(0, 0, None), (1_000_000, 0, None), (3, -1, None), (3, 0, 0)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, count: int, seed: int, workers: int | None) -> None:
    with pytest.raises(FairsalError, match="got"):
        draw_demo_faces(tmp_path / "faces", count, seed, workers=workers)


def test_unknown_change_names_the_nearest() -> None:
    with pytest.raises(FairsalError, match="Wearing_Hat"):
        draw_face(0, 1, {"Wearing_Hatt": True})
