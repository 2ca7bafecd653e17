"""Where fairsal keeps its things, and which folders it may read faces from."""

import os
from pathlib import Path

from fairsal_core.errors import FairsalError


def workspace() -> Path:
    """Return the folder that holds datasets, caches and runs: `FAIRSAL_HOME`, by default `./workspace`.

    Raises
    ------
    FairsalError
        If `FAIRSAL_HOME` names no folder, and none that could be made.
    """
    named = os.environ.get("FAIRSAL_HOME", "workspace")
    if not named.strip():
        raise FairsalError("FAIRSAL_HOME is empty: set it to a folder, or unset it for ./workspace.")
    folder = _folder("FAIRSAL_HOME", named)
    there = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), folder)
    if os.path.lexists(there) and not there.is_dir():
        raise FairsalError(
            f"FAIRSAL_HOME is {named}, but {there} is no folder: set it to one, or unset it for ./workspace."
        )
    return folder


def _folder(variable: str, named: str) -> Path:
    try:
        return Path(named).expanduser().resolve()
    except (RuntimeError, OSError) as error:  # nobody's home, or links that go round
        raise FairsalError(f"{variable} names {named}, which is nowhere: {error}") from error


def datasets_folder() -> Path:
    return workspace() / "datasets"


def cache_folder() -> Path:
    return workspace() / "cache"


def cohorts_folder() -> Path:
    """Return where cohorts lie, one file each."""
    return workspace() / "cohorts"


def predictions_folder() -> Path:
    """Where uploaded tables of predictions are kept."""
    return workspace() / "predictions"


def runs_folder() -> Path:
    return workspace() / "runs"


def leads_out(path: Path, root: Path) -> bool:
    """Return whether `path`, with every link in it followed, lies outside of `root` and of the configured image folders."""
    real = Path(os.path.realpath(path))
    return not any(real.is_relative_to(allowed) for allowed in (Path(os.path.realpath(root)), *data_roots()))


def data_roots() -> tuple[Path, ...]:
    """Return the configured image folders: `FAIRSAL_DATA_ROOTS`, separated like `PATH`. The interface offers no other."""
    return _roots("FAIRSAL_DATA_ROOTS")


def classifier_roots() -> tuple[Path, ...]:
    """Return the configured folders of classifiers to import, `FAIRSAL_CLASSIFIER_ROOTS`; the interface offers no other."""
    return _roots("FAIRSAL_CLASSIFIER_ROOTS")


def _roots(variable: str) -> tuple[Path, ...]:
    configured = os.environ.get(variable, "")
    return tuple(_folder(variable, entry) for entry in configured.split(os.pathsep) if entry.strip())
