"""What is opened first does not wait for what is heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "torchvision", "captum", "zennit", "sklearn", "fairlearn")
LIST_RUNS = "from fairsal_core.experiments import list_runs; list_runs()"
START_PAGE = """
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception and app.title
"""


@pytest.mark.parametrize("opened", [LIST_RUNS, START_PAGE], ids=["listing runs", "the start page"])
def test_first_things_need_nothing_heavy(opened: str, tmp_path: Path) -> None:
    script = tmp_path / "opened.py"
    script.write_text(
        f"{opened.replace('app.py', str(ROOT / 'app.py'))}\n"
        f"import sys; print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "FAIRSAL_HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "[]"
