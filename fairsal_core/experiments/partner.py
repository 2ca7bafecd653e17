"""A second process for an experiment's trainings, which does what `partner_process` says.

On a CPU two trainings with half the cores each do more than one with all of them, whose steps are too short to be shared
(`python -m benchmarks.training` measures it). So the run trains its variants from the first on, the partner from the last,
and they meet: who comes second to a classifier waits at its artifact's lock, and finds it made. Neither needs to know of
the other, and either alone is enough.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fairsal_core.runs import RunFiles, processes

PROGRAM = "fairsal_core.experiments.partner_process"
LEAST_IMAGES = 30_000  # some two minutes of training: less is not worth a partner's start


def has_partner(images: int, device: str) -> bool:
    """Return whether a run gets a partner: only on a CPU of two threads and more, and for `LEAST_IMAGES`.

    Parameters
    ----------
    images : int
        How many images all trainings see together, over all epochs.
    device : str
        Type of the device.
    """
    import torch

    return device == "cpu" and torch.get_num_threads() >= 2 and images >= LEAST_IMAGES


@contextmanager
def partner(run: Path, images: int, device: str) -> Iterator[Callable[[], None]]:
    """Give a function that calls the partner, to be called when there is something to train; it leaves with the block.

    Parameters
    ----------
    run : Path
        The run's directory, whose config the partner reads and whose events and log it adds to.
    images, device
        See `has_partner`.
    """
    import torch

    wanted = has_partner(images, device)
    threads = torch.get_num_threads()
    working: list[subprocess.Popen[bytes]] = []

    def call() -> None:
        if working or not wanted:
            return
        torch.set_num_threads(threads // 2)
        working.append(_start(run, threads // 2))

    try:
        yield call
    finally:
        torch.set_num_threads(threads)
        for process in working:
            process.kill()
            process.wait()


def _start(run: Path, threads: int) -> subprocess.Popen[bytes]:
    """Start the partner in this process's group, so that whatever stops the group stops it too."""
    with RunFiles(run).log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(run), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**processes.child_environment(), "OMP_NUM_THREADS": str(threads)},
        )
