"""A set that is either complete or absent."""

import json
import os
from pathlib import Path

import pytest

from fairsal_core.drawing import draw_demo_faces
from fairsal_core.drawing import folder as folders
from fairsal_core.errors import CancelledError, FairsalError
from tests.drawing.conftest import COUNT, contents


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.parent.iterdir() if path != root]


def test_all_faces_and_identities_differ(folder: Path) -> None:
    pictures = {path.read_bytes() for path in (folder / "img_align_celeba").iterdir()}
    identities = [line.split()[1] for line in (folder / "identity_CelebA.txt").read_text().splitlines()]
    assert len(pictures) == len(set(identities)) == COUNT


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


def test_someone_elses_pictures_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "img_align_celeba" / "000001.jpg"
    theirs.parent.mkdir()
    theirs.write_bytes(b"precious")
    with pytest.raises(FairsalError, match="not a set of demo faces"):
        draw_demo_faces(tmp_path, 3)
    assert theirs.read_bytes() == b"precious"


def test_the_loser_of_a_race_discards_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "faces"
    draw_all = folders.draw_all

    def overtaken(*arguments: object) -> None:
        draw_all(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(folders, "draw_all", draw_all)
        draw_demo_faces(root, 3)
        (root / "winner").touch()

    monkeypatch.setattr(folders, "draw_all", overtaken)
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
