"""The faces of a set, drawn here or in several processes at once."""

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import fairsal_core
from fairsal_core.drawing import worker
from fairsal_core.drawing.face_files import count_faces, make_folders, write_face
from fairsal_core.errors import FairsalError
from fairsal_core.progress import Progress

_CHUNK = 50  # faces from one report of the progress to the next
_SMALL_SET = 150  # below this many faces a worker process takes longer to start than to draw


def draw_all(folder: Path, count: int, seed: int, progress: Progress, workers: int | None) -> None:
    """Draw faces 1 to `count` into the folder; without a number of workers one a core, or this process for a small set."""
    make_folders(folder)
    starts = [*range(1, count + 1, _CHUNK), count + 1]
    chunks = list(pairwise(starts))
    progress(0, count, "drawing demo faces")
    if workers is None:
        workers = _available_cores() if count > _SMALL_SET else 1
    if workers == 1:
        for first, end in chunks:
            for index in range(first, end):
                write_face(folder, seed, index)
            progress(end - 1, count, "drawing demo faces")
        return
    _draw_in_processes(folder, count, seed, progress, min(workers, len(chunks)))


def _draw_in_processes(folder: Path, count: int, seed: int, progress: Progress, workers: int) -> None:
    """Draw with several interpreters, each taking every so many-th face.

    Not `multiprocessing`: its children import the main module again, which under streamlit is a page, and forked ones would
    keep the kernel locks that the worker of a run holds.
    """
    source = str(Path(fairsal_core.__file__).parents[1])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])),
        "PILLOW_BLOCKS_MAX": "16",  # keep the memory of one picture for the next
    }
    arguments = [[str(folder), str(seed), str(first), str(count), str(workers)] for first in range(1, workers + 1)]
    processes = [
        subprocess.Popen([sys.executable, "-P", "-m", worker.__name__, *share], env=environment) for share in arguments
    ]
    try:
        while any(process.poll() is None for process in processes):
            progress(count_faces(folder), count, "drawing demo faces")
            time.sleep(0.5)  # counting thousands of files takes time from the drawing
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if any(process.returncode for process in processes):
        raise FairsalError(f"A process that drew faces into {folder.parent} failed; is the disk full?")
    progress(count, count, "drawing demo faces")


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
