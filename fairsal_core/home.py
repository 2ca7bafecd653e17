"""Where fairsal keeps its things, and which folders it may read faces from."""

import os
from pathlib import Path


def workspace() -> Path:
    """Return the folder that holds datasets, caches and runs: `FAIRSAL_HOME`, by default `./workspace`."""
    return Path(os.environ.get("FAIRSAL_HOME", "workspace")).expanduser().resolve()


def datasets_folder() -> Path:
    return workspace() / "datasets"


def cache_folder() -> Path:
    return workspace() / "cache"


def runs_folder() -> Path:
    return workspace() / "runs"


def leads_out(path: Path, root: Path) -> bool:
    """Return whether `path`, with every link in it followed, lies outside of `root` and of the configured image folders."""
    real = Path(os.path.realpath(path))
    return not any(real.is_relative_to(allowed) for allowed in (Path(os.path.realpath(root)), *data_roots()))


def data_roots() -> tuple[Path, ...]:
    """Return the configured image folders: `FAIRSAL_DATA_ROOTS`, separated like `PATH`. The interface offers no other."""
    configured = os.environ.get("FAIRSAL_DATA_ROOTS", "")
    return tuple(Path(entry).expanduser().resolve() for entry in configured.split(os.pathsep) if entry.strip())
