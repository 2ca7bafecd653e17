"""What it costs that everything kept is compared with its manifest.

`python -m benchmarks.verifying [--faces 6000] [--repeats 5] [--json]`

Draws faces, trains a small experiment on them, and then times, each in a process of its own: the same experiment again, all of it
from the cache (`warm`); its training from nothing (`training`); and Comparison opened on it (`comparison`). Each is done with
comparing and syncing and without, in turn, and the seconds that comparing itself took are counted, of the wall's clock and of the
processor: the difference of two wall clocks is mostly noise, the more so where others are at work.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import fairsal_core
from fairsal_core import manifests
from fairsal_core.drawing import draw_demo_faces
from fairsal_core.files import read_json

ROOT = Path(fairsal_core.__file__).parents[1]
CONFIG = {
    "schemes": ["general_mask@0.7"],
    "regions": {"images": 100, "epochs": 1, "validation_images": 50},
    "training": {"epochs": 1},
    "attention": {"explainers": ["lrp"], "explained_faces": 64},
    "device": "cpu",
}
SCENARIOS = ("warm", "training", "comparison")
_COMPARING = (
    "check_content",
    "check_file",
    "check_file_once",
    "check_folder",
    "read_manifest",
    "entries_of",
    "write_manifest",
)
_spent = {"comparing": 0.0, "comparing_cpu": 0.0, "depth": 0}


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its time counted, once where one calls another."""

    @wraps(function)
    def counted(*args: Any) -> Any:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        _spent["depth"] += 1
        try:
            return function(*args)
        finally:
            _spent["depth"] -= 1
            if not _spent["depth"]:
                _spent["comparing"] += time.perf_counter() - begun
                _spent["comparing_cpu"] += time.process_time() - begun_cpu

    return counted


def prepare(*, comparing: bool) -> None:
    """Count the time that comparing takes, or leave it out; before any other module takes the functions."""
    for name in _COMPARING:
        function = getattr(manifests, name)
        if comparing:
            setattr(manifests, name, timed(function))
        elif name.startswith("check"):
            setattr(manifests, name, lambda *args: None)
    if not comparing:
        manifests.entries_of = lambda folder, files: {  # type: ignore[assignment]
            path.relative_to(folder).as_posix(): {"bytes": 0, "sha256": ""} for path in files
        }
        manifests.sync = lambda path: None  # type: ignore[attr-defined]


def experiment(config: dict[str, Any]) -> Path:
    from fairsal_core.runs import load_run, run_here
    from fairsal_core.settings import parse_config

    run = run_here("experiment", parse_config(config).model_dump(mode="json"), name="verifying")
    assert load_run(run).status.state == "finished", load_run(run).status.error
    return run


def comparison(run: str) -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    app.query_params["run"] = run
    app.run()
    app.switch_page("pages/comparison.py").run()
    assert not app.exception, [(each.message, each.stack_trace) for each in app.exception]


def child(scenario: str, config: Path, run: str, *, comparing: bool) -> None:
    """Do one scenario in this process and print its seconds, and those of comparing."""
    begun = time.perf_counter()  # imports are counted too: the processor's clock begins with the process
    prepare(comparing=comparing)
    if scenario == "comparison":
        comparison(run)
    else:
        experiment(read_json(config))
    print(json.dumps({"seconds": time.perf_counter() - begun, "cpu": time.process_time(), **_spent}))


def in_process(scenario: str, home: Path, config: Path, run: str, *, comparing: bool) -> dict[str, float]:
    """Do one scenario in a new process, in a workspace that is given back as it was."""
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        copy = Path(scratch) / "home"
        shutil.copytree(home, copy)
        if scenario == "training":
            for stage in ("classifiers", "relevance", "maps"):
                shutil.rmtree(copy / "cache" / stage)
        command = [
            sys.executable,
            "-m",
            "benchmarks.verifying",
            "--child",
            scenario,
            str(config),
            run,
            str(int(comparing)),
        ]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "FAIRSAL_HOME": str(copy)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(faces: int, repeats: int) -> dict[str, dict[str, float]]:
    """Return for each scenario the median seconds with comparing and without, and those that comparing itself took."""
    with tempfile.TemporaryDirectory() as scratch:
        home, config = Path(scratch) / "home", Path(scratch) / "config.json"
        data = draw_demo_faces(Path(scratch) / "faces", count=faces, seed=0)
        third = faces // 40
        config.write_text(json.dumps({**CONFIG, "data": str(data), "counts": f"0,{3 * third},{2 * third},{third}"}))
        os.environ["FAIRSAL_HOME"] = str(home)
        run = experiment(read_json(config)).name
        found = {}
        for scenario in SCENARIOS:
            timings: dict[bool, list[dict[str, float]]] = {True: [], False: []}
            for number in range(2 * repeats):
                comparing = number % 2 == 0
                timings[comparing].append(in_process(scenario, home, config, run, comparing=comparing))
            found[scenario] = {
                name: statistics.median(each[name] for each in timings[True])
                for name in ("seconds", "comparing", "cpu", "comparing_cpu")
            }
            found[scenario]["without"] = statistics.median(each["seconds"] for each in timings[False])
            found[scenario]["cpu_without"] = statistics.median(each["cpu"] for each in timings[False])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=6000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        scenario, config, run, comparing = options.child
        child(scenario, Path(config), run, comparing=comparing == "1")
        return
    found = measure(options.faces, options.repeats)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(
        f"{'':12} {'wall':>8} {'without':>8} {'comparing':>10} {'cpu':>8} {'without':>8} {'comparing':>10} {'share':>7}"
    )
    for scenario, each in found.items():
        print(
            f"{scenario:12} {each['seconds']:7.2f}s {each['without']:7.2f}s {each['comparing']:9.3f}s {each['cpu']:7.2f}s "
            f"{each['cpu_without']:7.2f}s {each['comparing_cpu']:9.3f}s {each['comparing_cpu'] / each['cpu']:7.1%}"
        )


if __name__ == "__main__":
    main()
