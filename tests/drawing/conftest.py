"""A drawn set that the tests of this room read, and never change."""

from pathlib import Path

import pytest

from fairsal_core.drawing import draw_demo_faces

COUNT = 60


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 drawn faces of seed 3."""
    return draw_demo_faces(tmp_path_factory.mktemp("demo") / "faces", COUNT, seed=3, workers=1)


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of a set."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
