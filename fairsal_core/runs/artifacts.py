"""Artifacts: what a stage made, kept under the hash of everything it depends on, so that it is made once.

Its files have a manifest, which is the last of them to reach the disk and says too what they were made with. Nobody gets an
artifact that is not what its manifest says: it is made again, and that is told.

Which versions decide: the stage's own, the installed package's where an extension is at work, and torch's up to the minor
one. Those of fairsal and of everything else are in the manifest for people to read.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.files import patiently, read_json, sync, write_json
from fairsal_core.hashing import hash_of
from fairsal_core.home import cache_folder
from fairsal_core.locks import holding
from fairsal_core.manifests import (
    DamagedError,
    check_folder,
    entries_of,
    files_below,
    read_manifest,
    write_manifest,
)
from fairsal_core.runs import remote as storage
from fairsal_core.runs.usage import note
from fairsal_core.versions import torch_series, versions

# Of an artifact's folder. What a stage computes has a version of its own.
_FORMAT = 2
_DEPENDS_ON = "depends_on.json"


def artifact(
    stage: str, depends_on: dict[str, Any], build: Callable[[Path], None], tell: Callable[[str], None] = print
) -> Path:
    """Return the folder with a stage's artifact, building it if there is none.

    Parameters
    ----------
    stage : str
        What kind of artifact it is; a folder name.
    depends_on : dict
        JSON-able; anything whose change must give another artifact.
    build : callable
        Gets an empty folder to write into. If it raises, nothing remains.
    tell : callable
        Is told in a sentence of an artifact that is damaged and so made again.

    Notes
    -----
    A folder appears under its final name in one step, so one that exists is complete, unless something has happened to it
    since: its files are compared with their manifest each time, large arrays once in a process. A kernel lock lets a second process
    that wants the same artifact wait for the first instead of computing it again. Where a storage is in use it is fetched from
    there if another machine has made it, and pushed if it is not there.
    """
    key = artifact_key(depends_on)
    note(stage, key)
    parent = cache_folder() / stage
    parent.mkdir(parents=True, exist_ok=True)
    final = parent / key
    shared, name = storage.in_use(), artifact_name(stage, key)
    if final.is_dir() and problem_of(final) is None:
        if shared and not storage.is_whole(shared, name):
            storage.push(final, shared, name)
        return final
    with holding(parent / f".{key}.lock"):
        if final.is_dir():
            problem = problem_of(final)
            if problem is None:
                return final
            tell(f"What was kept as {artifact_name(stage, key)} is damaged ({problem}): it is made again.")
            final.rename(parent / f".{key}.{uuid.uuid4().hex[:8]}.tmp")
        for remnant in parent.glob(f".{key}.*.tmp"):  # of a builder that was killed: only the lock's holder builds
            shutil.rmtree(remnant, ignore_errors=True)
        temporary = parent / f".{key}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            if not (shared and storage.fetch(shared, name, temporary) and problem_of(temporary) is None):
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir()
                build(temporary)
                write_json(temporary / _DEPENDS_ON, depends_on)
                seal(temporary)
                if shared:
                    storage.push(temporary, shared, name)
            patiently(lambda: temporary.rename(final))
            sync(parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def is_made(stage: str, depends_on: dict[str, Any]) -> bool:
    """Return whether a stage's artifact is in this machine's cache."""
    return (cache_folder() / stage / artifact_key(depends_on)).is_dir()


def seal(folder: Path) -> None:
    """Write the manifest of an artifact's folder: its files, and what they were made with."""
    write_manifest(folder, {"files": entries_of(folder, files_below(folder)), "made_with": versions()})


def problem_of(folder: Path) -> str | None:
    """Return what is wrong with the files of an artifact's folder; None if they are what its manifest says."""
    try:
        manifest = read_manifest(folder)
        if manifest is None or _DEPENDS_ON not in manifest["files"]:
            return "it has no manifest"
        check_folder(folder, manifest["files"])
    except DamagedError as error:
        return str(error)
    return None


def check_artifact(folder: Path) -> None:
    """Raise FairsalError unless the files of an artifact's folder are what its manifest says."""
    if problem := problem_of(folder):
        raise FairsalError(f"What was kept as {folder.parent.name}/{folder.name} is damaged ({problem}): run it again.")


def kept_artifacts(stage: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give the folder of each artifact of a stage that can be used, oldest first, and all that it depends on."""
    found = []
    for about in (cache_folder() / stage).glob(f"*/{_DEPENDS_ON}"):
        with suppress(OSError):
            found.append((about.stat().st_mtime, about.parent))
    for _, folder in sorted(found):
        if problem_of(folder) is None:
            depends_on = read_json(folder / _DEPENDS_ON)
            if isinstance(depends_on, dict) and artifact_key(depends_on) == folder.name:  # of these versions
                yield folder, depends_on


def artifact_key(depends_on: dict[str, Any]) -> str:
    """Return the name of the folder of an artifact that depends on this."""
    return hash_of({"format": _FORMAT, "torch": torch_series(), **depends_on})


def artifact_name(stage: str, key: str) -> str:
    """Return what a storage calls an artifact."""
    return f"cache/{stage}/{key}"
