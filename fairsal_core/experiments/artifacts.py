"""Artifacts: what a stage made, kept under the hash of everything it depends on, so that it is made once."""

import fcntl
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairsal_core.experiments import storage
from fairsal_core.experiments.config import hash_of
from fairsal_core.experiments.usage import note
from fairsal_core.files import write_json
from fairsal_core.home import cache_folder

# Raised when what a stage computes changes, so that artifacts of older code are not taken for its own.
_FORMAT = 1


def artifact(stage: str, depends_on: dict[str, Any], build: Callable[[Path], None]) -> Path:
    """Return the folder with a stage's artifact, building it if there is none.

    Parameters
    ----------
    stage : str
        What kind of artifact it is; a folder name.
    depends_on : dict
        JSON-able; anything whose change must give another artifact.
    build : callable
        Gets an empty folder to write into. If it raises, nothing remains.

    Notes
    -----
    A folder appears under its final name in one step, so one that exists is complete. A kernel lock lets a second process
    that wants the same artifact wait for the first instead of computing it again. Where a storage is in use it is fetched from
    there if another machine has made it, and pushed if it is not there.
    """
    key = artifact_key(depends_on)
    note(stage, key)
    parent = cache_folder() / stage
    parent.mkdir(parents=True, exist_ok=True)
    final = parent / key
    shared, name = storage.in_use(), artifact_name(stage, key)
    if final.is_dir():
        if shared and not storage.is_whole(shared, name):
            storage.push(final, shared, name)
        return final
    with (parent / f".{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.is_dir():
            return final
        for remnant in parent.glob(f".{key}.*.tmp"):  # of a builder that was killed: only the lock's holder builds
            shutil.rmtree(remnant, ignore_errors=True)
        temporary = parent / f".{key}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            if not (shared and storage.fetch(shared, name, temporary)):
                temporary.mkdir()
                build(temporary)
                write_json(temporary / "depends_on.json", depends_on)
                if shared:
                    storage.push(temporary, shared, name)
            temporary.rename(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def is_made(stage: str, depends_on: dict[str, Any]) -> bool:
    """Return whether a stage's artifact is in this machine's cache."""
    return (cache_folder() / stage / artifact_key(depends_on)).is_dir()


def artifact_key(depends_on: dict[str, Any]) -> str:
    """Return the name of the folder of an artifact that depends on this."""
    return hash_of({"format": _FORMAT, **depends_on})


def artifact_name(stage: str, key: str) -> str:
    """Return what a storage calls an artifact."""
    return f"cache/{stage}/{key}"
