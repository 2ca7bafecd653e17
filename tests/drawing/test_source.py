"""What a config calls the drawn faces."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_word_for_the_drawn_faces_needs_no_pillow() -> None:
    code = "import sys; from fairsal_core.drawing import DEMO; print(DEMO, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    word, *loaded = done.stdout.split()
    assert word == "demo"
    assert {"PIL", "numpy"}.isdisjoint(loaded)
