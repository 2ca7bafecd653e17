"""A face's two files."""

from pathlib import Path

import numpy as np
from PIL import Image

from fairsal_core.drawing import PARTS, draw_face
from tests.drawing.conftest import COUNT


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
