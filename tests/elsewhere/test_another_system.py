"""The main job on Windows and macOS: `sitecustomize.py` takes away what they lack from every process that these tests start."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SETTINGS = {
    "schemes": ["general_mask@0.7", "specific_noise@0.7"],
    "counts": "0,8,4,4",
    "test_per_cell": 1,
    "device": "cpu",
    "regions": {"images": 40, "epochs": 1, "validation_images": 20},
    "training": {"epochs": 2, "batch_size": 8},
    "attention": {"explainers": ["gradient"], "explained_faces": 4},
}
Do = Callable[..., str]

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the imitation itself looks into /proc")


@pytest.fixture(params=["windows", "macos"])
def elsewhere(tmp_path: Path, request: pytest.FixtureRequest) -> Do:
    """Run Python on another system, and return what it printed."""
    signed = tmp_path / "signed"
    signed.mkdir()
    environment = {
        "IMITATED_SYSTEM": request.param,
        "IMITATION_SIGNED": str(signed),
        "FAIRSAL_HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join((str(HERE), str(ROOT))),
        "PYTHONWARNDEFAULTENCODING": "1",
    }

    def do(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return do


@pytest.fixture
def scenario(elsewhere: Do) -> Callable[..., Any]:
    return lambda *arguments: json.loads(elsewhere(str(HERE / "scenarios.py"), *arguments))


def test_faces_are_drawn_and_packed_and_a_run_is_cancelled_resumed_and_reported(
    elsewhere: Do, scenario: Callable[..., Any], tmp_path: Path
) -> None:
    faces = str(tmp_path / "home" / "faces")
    drawn = json.loads(elsewhere("-m", "fairsal_core", "demo-data", "--count", "160", "--out", faces, "--json"))
    assert drawn["faces"] == 160
    packed = json.loads(elsewhere("-m", "fairsal_core", "pack", "--data", faces, "--json"))
    assert packed["faces"] == 160
    cancelled, resumed, run, error = scenario("cancelled_and_resumed", json.dumps({**SETTINGS, "data": faces}))
    assert (cancelled, resumed, error) == ("cancelled", "finished", None)
    report = json.loads(elsewhere("-m", "fairsal_core", "report", run, "--json"))
    assert Path(report["report"]).is_file()
    assert run in elsewhere("-m", "fairsal_core", "runs")

    there = [path.read_text() for path in (tmp_path / "signed").iterdir()]
    for process in ("fairsal_core.drawing.worker", "fairsal_core pack", "fairsal_core.runs.worker", "report"):
        assert any(process in each for each in there), f"{process} was on this system"
    # Windows lets nobody read what is locked, so nothing may be written there.
    locks = [path for path in (tmp_path / "home").rglob("*") if path.name == "lock" or path.suffix == ".lock"]
    assert locks
    assert [path for path in locks if path.stat().st_size] == []


@pytest.mark.parametrize(
    ("elsewhere", "name", "told"),
    [
        ("windows", "killed", "interrupted"),
        ("macos", "killed", "interrupted"),
        ("windows", "cancelled_stubborn", "cancelled"),
        ("macos", "cancelled_stubborn", "cancelled"),
        ("windows", "finished_careless", "finished"),
        ("macos", "finished_careless", "finished"),
        ("windows", "watched", ["finished"] * 6),
        ("windows", "deserted", ["queued", "interrupted", 2]),
        ("windows", "deleted", []),
        ("windows", "partner", [True, True]),
    ],
    indirect=["elsewhere"],
)
def test_what_befalls_a_run(scenario: Callable[..., Any], name: str, told: Any) -> None:
    assert scenario(name) == told


ASKS = """
import os, sys
import sitecustomize as there
__name__ = "fairsal_core.asks"
system = os.environ["IMITATED_SYSTEM"]
left = [name for module, names in there.LACKING[system].items() for name in names if hasattr(sys.modules[module], name)]
for name in there.LACKING_MODULES[system]:
    try:
        __import__(name)
        left.append(name)
    except ImportError:
        pass
try:
    open("/proc/self/stat", encoding="utf-8")
    left.append("/proc")
except FileNotFoundError:
    pass
print(left)
"""


def test_the_imitation_takes_away_what_it_says(elsewhere: Do) -> None:
    assert elsewhere("-c", ASKS) == "[]\n"
