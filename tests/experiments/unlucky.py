"""Experiments of which some lose their worker or node the first time: what a Ray worker of the tests does."""

import os
import time
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import pipeline
from fairsal_core.experiments.reporting import Report
from fairsal_core.home import workspace

LOSES_WORKER, LOSES_NODE, BAD, LOSES_HEAD, WAITS = 2, 3, 4, 5, 6  # seeds


def run_job(config: dict[str, Any], run: Path, report: Report) -> None:
    (seed,) = config["seeds"]
    attempts = workspace() / f"attempts-{seed}"
    with attempts.open("a") as file:
        file.write("x")
    first = attempts.read_text() == "x"
    if seed == BAD:
        raise FairsalError("This can never work.")
    if seed == LOSES_WORKER and first:
        os._exit(1)
    if seed == LOSES_NODE and first:
        import ray

        draft = workspace() / "node.draft"
        draft.write_text(ray.get_runtime_context().get_node_id())
        draft.rename(workspace() / "node")
        time.sleep(300)
    if seed == LOSES_HEAD and first:
        (workspace() / "head").touch()
        time.sleep(300)
    while seed >= WAITS:
        report(0, 1, "Waiting to be cancelled")
        time.sleep(0.05)
    pipeline.run_job(config, run, report)
