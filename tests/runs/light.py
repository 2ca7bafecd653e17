"""A worker that is quick to start and knows the jobs of the tests: `python light.py RUN`."""

import sys
from pathlib import Path
from types import ModuleType

import fairsal_core


def skip_face() -> None:
    """Let the modules of `runs` be imported without what the package offers at its face, torch included."""
    package = ModuleType("fairsal_core.runs")
    package.__path__ = [str(Path(fairsal_core.__file__).with_name("runs"))]
    sys.modules[package.__name__] = package


if __name__ == "__main__":
    skip_face()
    import jobs  # from this file's folder

    from fairsal_core.runs import worker

    sys.exit(worker.main(jobs=jobs.JOBS))
