"""What was said of jobs before they began, against what they took.

    python -m benchmarks.estimates [--data FOLDER] [--kinds KIND...] [--json]

Six jobs, one after the other in a workspace of their own, in which the faces are packed already: the default experiment (or, of
FOLDER, one of Male and Blond_Hair with four schemes), the training of a region classifier of 2,000 faces, an audit of the
experiment's classifiers, their explanation by a second explainer, maps of 3,000 faces, and a sweep over two measures. Of each:
seconds, the most memory that its processes held together, and bytes that it left on the disk.
Goal: each within 30%.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from fairsal_core.costs import COSTS, probe_aside
from fairsal_core.faces import load_faces
from fairsal_core.runs import list_runs

_LOOK_SECONDS = 0.1
_RUN = "import json, sys; from fairsal_core.runs import run_here; run_here(sys.argv[1], json.load(sys.stdin), name='estimated')"
_SCHEMES = ["general_mask@0.7", "specific_mask@0.7", "general_noise@0.7", "specific_noise@0.7"]


def jobs(data: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each job's kind and settings; the audit is of what the first left."""
    experiment: dict[str, Any] = {"data": data}
    if data != "demo":
        experiment |= {"counts": "0,600,400,200", "schemes": _SCHEMES, "training": {"epochs": 8, "batch_size": 128}}
    yield "experiment", experiment
    training = {"images": 2000, "epochs": 8, "validation_images": 300}
    yield "regions", {"data": data, "attribute": "Smiling", "training": training}
    run = next((run.id for run in list_runs() if run.kind == "experiment"), "none")
    audit = {
        "data": data,
        "target": "Male",
        "confounder": "Blond_Hair",
        "subjects": [f"{run}:original", f"{run}:balanced"],
    }
    yield "audit", {**audit, "test_split": "all", "test_per_cell": 200, "attention": {"explained_faces": 128}}
    yield "explain", {"run": run, "explainers": ["integrated_gradients:steps=8"], "explained_faces": 128}
    yield "attribution", {"data": data, "attribute": "Eyeglasses", "split": "train", "images": 3000}
    measures = {"measure": ["negative_entropy", "information_gain"]}
    base = {"data": data, "counts": "0,300,200,100", "schemes": _SCHEMES[:2], "attention": {"explainers": []}}
    yield "sweep", {"name": "estimated", "base": {**base, "training": {"epochs": 6}}, "grid": measures}


def took(kind: str, content: dict[str, Any], home: Path) -> dict[str, float]:
    """Do a job, and return its seconds, and the bytes of memory and disk."""
    before, begun, most = on_disk(home), time.perf_counter(), 0
    job = subprocess.Popen(
        [sys.executable, "-c", _RUN, kind], stdin=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    assert job.stdin
    job.stdin.write(json.dumps(content))
    job.stdin.close()
    while job.poll() is None:
        most = max(most, held(job.pid))
        time.sleep(_LOOK_SECONDS)
    return {"seconds": time.perf_counter() - begun, "memory": most, "disk": on_disk(home) - before}


def held(pid: int) -> int:
    """Return the bytes that a process and its children hold now."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += each.memory_info().rss
    return total


def on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def compared(data: str, home: Path, kinds: Collection[str]) -> Iterator[dict[str, Any]]:
    """Give what was said and what it took, a row for each job of these kinds and each amount."""
    faces = load_faces(data)
    for kind, content in jobs(data):
        if kind not in kinds:
            continue
        config = COSTS[kind].parse(content)
        probed = probe_aside(kind, config.model_dump(mode="json"))
        cost = COSTS[kind].cost(config, lambda source: faces, probed)
        said = {what: float(sum(getattr(cost, what).values())) for what in ("seconds", "memory", "disk")}
        for what, amount in took(kind, config.model_dump(mode="json"), home).items():
            unit = 1.0 if what == "seconds" else 1e6
            row = {"job": kind, "of": what if what == "seconds" else f"{what}, MB", "said": round(said[what] / unit, 1)}
            yield {**row, "took": round(amount / unit, 1), "said / took": round(said[what] / max(amount, 1e-9), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare what was said of jobs with what they took.")
    parser.add_argument("--data", default="demo", help="faces")
    parser.add_argument(
        "--kinds", nargs="+", default=[*COSTS], help="of job; an audit and an explanation need an experiment"
    )
    parser.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FAIRSAL_HOME"] = folder
        rows = list(compared(options.data, Path(folder), options.kinds))
    print(json.dumps(rows, indent=1) if options.json else pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
