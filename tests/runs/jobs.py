"""Jobs without torch, for a worker that knows them: `light.py`."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.files import replacing
from fairsal_core.runs import worker
from fairsal_core.runs.events import JobProgress

Config = dict[str, Any]


def quick(config: Config, run: Path, report: JobProgress) -> None:
    report.stage("first", share=0.5)
    report(1, 1, "halfway")
    report.stage("second", share=0.5)
    for epoch in range(3):
        report(epoch + 1, 3, f"epoch {epoch + 1}", loss=1 / (epoch + 1))
    print("all done")
    (run / "result.txt").write_text(config.get("text", ""))


def until(config: Config, run: Path, report: JobProgress) -> None:
    """Go on, reporting, until the file `config["file"]` exists."""
    while not Path(config["file"]).exists():
        report(1, 2, "going on")
        time.sleep(0.02)


def breaks(config: Config, run: Path, report: JobProgress) -> None:
    print("one line before")
    raise ValueError("two\nlines")


def prints_any_letter(config: Config, run: Path, report: JobProgress) -> None:
    """Print, and then fail with, what no ASCII terminal and no encoding can show."""
    print("Fr\u00e4ulein")
    raise ValueError("half a letter: \udc80")


def bad_input(config: Config, run: Path, report: JobProgress) -> None:
    raise FairsalError("There is no attribute 'Hair'.")


def fills_disk(config: Config, run: Path, report: JobProgress) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fills_memory(config: Config, run: Path, report: JobProgress) -> None:
    raise MemoryError


def leaves(config: Config, run: Path, report: JobProgress) -> None:
    sys.exit(7)


def cannot_write_its_end(config: Config, run: Path, report: JobProgress) -> None:
    """A full disk, as far as the status is concerned: it cannot be replaced any more."""
    (run / "status.lock").unlink()
    (run / "status.lock").mkdir()


def falls_over_when_told(config: Config, run: Path, report: JobProgress) -> None:
    try:
        until(config, run, report)
    except BaseException as error:
        raise RuntimeError("my children died first") from error


def fills_a_real_disk(config: Config, run: Path, report: JobProgress) -> None:
    """Write until the disk is full, and leave what was written."""
    report(1, 2, "going on")
    with (run / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def fills_a_real_disk_with_results(config: Config, run: Path, report: JobProgress) -> None:
    """Write results as the pipeline does, so that nothing remains of those that do not fit."""
    with replacing(run / "result.txt") as temporary, temporary.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def loses_its_number(config: Config, run: Path, report: JobProgress) -> None:
    """Train a real network at a rate that no loss survives."""
    import numpy as np
    import torch

    from fairsal_core.classifiers import ClassifierTraining, TrainingTask, train_classifier

    images = np.random.default_rng(0).integers(0, 256, (8, 128, 128, 3), dtype=np.uint8)
    settings = ClassifierTraining.model_construct(
        **{**ClassifierTraining(epochs=3, batch_size=4).model_dump(), "learning_rate": 1e30}
    )
    train_classifier(TrainingTask(images, np.arange(8) % 2 == 0, 0), settings, torch.device("cpu"))


def clock_goes_back(config: Config, run: Path, report: JobProgress) -> None:
    """Have the machine's clock set back by two hours while at work."""
    real = time.time
    report(1, 2, "going on")
    time.time = lambda: real() - 7200
    report(2, 2, "two hours ago")
    (run / "result.txt").write_text("done")


def leaves_a_stubborn_child(config: Config, run: Path, report: JobProgress) -> None:
    """Obey, but leave a child that ignores SIGTERM."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _say(run / "child", os.getpid())
        time.sleep(60)
        os._exit(0)
    while not (run / "child").exists():
        time.sleep(0.01)
    until(config, run, report)


def stubborn(config: Config, run: Path, report: JobProgress) -> None:
    """Ignore SIGTERM, report nothing, and have a child that does the same."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
        os._exit(0)
    _say(run / "child", child)
    time.sleep(60)


def with_child(config: Config, run: Path, report: JobProgress) -> None:
    """Have a child that knows nothing of a parent; as it is forked, it holds the run's lock too."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    _say(run / "child", child)
    until(config, run, report)


def terminates_child(config: Config, run: Path, report: JobProgress) -> None:
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    os.kill(child, signal.SIGTERM)
    _, ended = os.waitpid(child, 0)
    _say(run / "signal", os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else 0)
    # A program told to keep open all it inherits.
    listed = subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True, check=True, close_fds=False)
    inherited = worker.LOCK_FD_VARIABLE in os.environ or "lock" in listed.stdout
    _say(run / "inherited", int(inherited))


def _say(path: Path, number: int) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(str(number))
    draft.rename(path)


JOBS = {
    job.__name__: f"{__name__}:{job.__name__}"
    for job in (
        *(quick, until, breaks, prints_any_letter, bad_input, fills_disk, fills_memory, leaves, cannot_write_its_end),
        *(fills_a_real_disk, fills_a_real_disk_with_results, clock_goes_back, leaves_a_stubborn_child),
        loses_its_number,
        *(falls_over_when_told, stubborn, with_child, terminates_child),
    )
}
