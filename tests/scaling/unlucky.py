"""Experiments of which some lose their worker or node the first time: what a Ray worker of the tests does."""

import os
import time
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import pipeline
from fairsal_core.home import workspace
from fairsal_core.runs import remote as storage
from fairsal_core.runs.events import JobProgress

LOSES_UPLOAD, LOSES_WORKER, LOSES_NODE, BAD, LOSES_HEAD, WAITS = 0, 2, 3, 4, 5, 6  # seeds


def run_job(config: dict[str, Any], run: Path, report: JobProgress) -> None:
    (seed,) = config["seeds"]
    attempts = marks() / f"attempts-{seed}"
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
    if seed == LOSES_UPLOAD and first:
        storage.write_file = ends_the_worker_at_its_second_file  # type: ignore[assignment]


def marks() -> Path:
    """Return where all attempts are noted: in the shared workspace, or beside the storage of workers that share none."""
    return Path(storage.in_use().removeprefix("file://")).parent if storage.in_use() else workspace()


def ends_the_worker_at_its_second_file(files: Any, source: Path, target: str, begun: list[Path] = []) -> Any:  # noqa: B006
    begun.append(source)
    if len(begun) == 2:
        os._exit(1)
    files.pipe_file(target, source.read_bytes())
    return {}
