"""Drawing here or in several processes at once."""

import subprocess
import sys
from pathlib import Path

from fairsal_core.drawing import draw_demo_faces
from tests.drawing.conftest import contents

ROOT = Path(__file__).parents[2]


def test_workers_change_no_byte_and_a_small_set_is_the_start_of_a_large_one(folder: Path, tmp_path: Path) -> None:
    spawned = contents(draw_demo_faces(tmp_path / "spawned", 55, seed=3, workers=2))
    alone = contents(folder)
    pictures = [name for name in spawned if "/" in name]
    assert len(pictures) == 2 * 55
    assert all(spawned[name] == alone[name] for name in pictures)
    for table in ("list_eval_partition.txt", "identity_CelebA.txt"):
        assert alone[table].startswith(spawned[table])


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    calls: list[tuple[float, float]] = []
    draw_demo_faces(tmp_path / "faces", 52, progress=lambda done, total, message="": calls.append((done, total)))
    assert calls == [(0, 52), (50, 52), (52, 52)]


def test_a_helper_process_starts_light() -> None:
    code = "import sys, fairsal_core.drawing.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "fairsal_core.drawing.face" in loaded
    needless = {"pandas", "torch", "fairsal_core.faces", "fairsal_core.drawing.folder"}
    assert needless.isdisjoint(loaded)
