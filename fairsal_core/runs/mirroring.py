"""Having a finished run copied to a tracking server, by a process that nobody waits for."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from fairsal_core.runs import processes
from fairsal_core.runs.layout import RunFiles

MIRROR = (sys.executable, "-m", "fairsal_core", "mirror")
MIRROR_VARIABLE = "MLFLOW_TRACKING_URI"


def mirror(run: Path) -> None:
    """Have a finished run copied to the tracking server that the environment names, if it names one.

    What comes of it is one line in the run's log: no server holds up a run, or fails it.
    """
    if not os.environ.get(MIRROR_VARIABLE):
        return
    with suppress(OSError), RunFiles(run).log.open("ab") as log:
        copying = subprocess.Popen(
            [*MIRROR, run.name, "--runs", str(run.parent)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **processes.detached(),  # it outlives the worker, which on its way out kills its own group
            env=processes.outliving_environment(),
        )
        threading.Thread(target=copying.wait, name=f"reap mirror of {run.name}", daemon=True).start()
