"""Manifests: which files a folder holds, with their SHA-256, written last and compared when the files are read."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, replacing, sync
from fairsal_core.hashing import file_digest, known_blocks_digest, known_digest

MANIFEST = "manifest.json"
_MOST_BYTES = 64 * 2**20

Entry = Mapping[str, Any]
Entries = Mapping[str, Entry]
"""Name of a file, below its folder, and its size and SHA-256, or, of a large one, its `blocks_digest`."""


class DamagedError(FairsalError):
    """A file is not what its manifest says."""


def entry_of(path: Path) -> dict[str, Any]:
    """Return what a manifest says of a file, which is on the disk then."""
    sync(path)
    return {"bytes": path.stat().st_size, "sha256": known_digest(path)}


def entry_in_blocks_of(path: Path) -> dict[str, Any]:
    """Return what `entry_of` does for a file so large that it is to be compared on all cores."""
    sync(path)
    return {"bytes": path.stat().st_size, "blocks_sha256": known_blocks_digest(path)}


def entries_of(folder: Path, files: Iterable[Path]) -> dict[str, Entry]:
    """Return what a manifest says of some files of a folder, by their names below it."""
    return {path.relative_to(folder).as_posix(): entry_of(path) for path in sorted(files)}


def files_below(folder: Path) -> list[Path]:
    """Return the regular files of a folder and of those in it."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a folder: its files are there, and it is the last of them to reach the disk."""
    body = json.dumps(content, indent=1, sort_keys=True)
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(
            json.dumps({"sha256": _sum(body), "of": content}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
        sync(temporary)
    sync(folder)


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return what `write_manifest` was given; None if there is none.

    Raises
    ------
    DamagedError
        If it is none of ours, or not whole.
    """
    try:
        found = read_json(folder / MANIFEST, _MOST_BYTES)
        content = found["of"]
        if found["sha256"] == _sum(json.dumps(content, indent=1, sort_keys=True)) and isinstance(
            content["files"], dict
        ):
            return dict(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise DamagedError(f"{MANIFEST} is damaged")


def check_content(content: bytes, name: str, entries: Entries) -> None:
    """Raise DamagedError unless this is what a manifest says of the file of that name."""
    if hashlib.sha256(content).hexdigest() != _expected(name, entries)["sha256"]:
        raise DamagedError(f"{name} is not what was written")


def check_file(folder: Path, name: str, entries: Entries) -> None:
    """Raise DamagedError unless a file is what the manifest of its folder says of it; all of it is read."""
    _compare(folder, name, entries, file_digest)


def check_file_once(folder: Path, name: str, entries: Entries) -> None:
    """Do what `check_file` does, once in this process; from then on its size, date and inode are compared."""
    if "blocks_sha256" in entries.get(name, ()):
        _compare(folder, name, entries, known_blocks_digest, "blocks_sha256")
    else:
        _compare(folder, name, entries, known_digest)


def _compare(folder: Path, name: str, entries: Entries, digest_of: Callable[[Path], str], kind: str = "sha256") -> None:
    path, expected = folder / name, _expected(name, entries, kind)
    try:
        # The size first: it is free.
        if path.stat().st_size != expected["bytes"] or digest_of(path) != expected[kind]:
            raise DamagedError(f"{name} is not what was written")
    except OSError as error:
        raise DamagedError(f"{name} cannot be read ({error.strerror or error})") from error


def check_folder(folder: Path, entries: Entries) -> None:
    """Raise DamagedError unless all files of a manifest are what it says; large arrays are read once in a process."""
    for name in entries:
        (check_file_once if name.endswith(".npy") else check_file)(folder, name, entries)


def _expected(name: str, entries: Entries, kind: str = "sha256") -> Entry:
    entry = entries.get(name)
    if not isinstance(entry, dict) or not {"bytes", kind} <= set(entry):
        raise DamagedError(f"{name} is not in the manifest")
    return entry


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
