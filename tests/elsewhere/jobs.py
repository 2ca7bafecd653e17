"""Jobs that need no system in particular, and a worker that knows them: `python jobs.py RUN`."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.runs.light import skip_face

if __name__ == "__main__":
    skip_face()

from fairsal_core.runs import worker
from fairsal_core.runs.events import JobProgress

Config = dict[str, Any]
SLEEP = "import time; time.sleep(60)"


def quick(config: Config, run: Path, report: JobProgress) -> None:
    report(1, 1, "done")


def obedient(config: Config, run: Path, report: JobProgress) -> None:
    """Have a child, and go on until told to stop."""
    _have_a_child(run)
    while True:
        report(1, 2, "going on")
        time.sleep(0.02)


def stubborn(config: Config, run: Path, report: JobProgress) -> None:
    """Have a child, and hear nothing."""
    report(1, 2, "going on")
    _have_a_child(run)
    time.sleep(60)


def careless(config: Config, run: Path, report: JobProgress) -> None:
    """Finish, and leave a child."""
    _have_a_child(run)


def _have_a_child(run: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", SLEEP])
    draft = run / "draft"
    draft.write_text(str(child.pid))
    draft.rename(run / "child")


JOBS = {job.__name__: f"jobs:{job.__name__}" for job in (quick, obedient, stubborn, careless)}

if __name__ == "__main__":
    sys.exit(worker.main(jobs=JOBS))
