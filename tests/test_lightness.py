"""What is opened first does not wait for what is heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "torchvision", "captum", "zennit", "sklearn", "fairlearn")
LIST_RUNS = "from fairsal_core.runs import list_runs; list_runs()"
COMMAND = "from fairsal_core.cli import main; main({!r})"
HELP = "import contextlib\nfrom fairsal_core.cli import main\nwith contextlib.suppress(SystemExit): main({!r})"
START_PAGE = """
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).run()
assert not app.exception and app.title
"""


OPENED = {
    "listing runs": LIST_RUNS,
    "the start page": START_PAGE,
    "the command line's runs": COMMAND.format(["runs"]),
    "the command line's help": HELP.format(["--help"]),
    **{
        f"the help of {command}": HELP.format([command, "--help"])
        for command in ("demo-data", "align", "data", "pack", "cluster", "runs", "report", "mirror", "serve")
    },
}


@pytest.mark.parametrize("opened", OPENED.values(), ids=OPENED)
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
