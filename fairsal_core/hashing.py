"""Short names for what something depends on."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from fairsal_core.files import open_regular


def hash_of(content: Any) -> str:
    """Return a short hash of JSON-able content, the same in every process."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; all of it is read."""
    with open_regular(path) as stream:
        stamp = _stamp(os.fstat(stream.fileno()))
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    _read[path] = stamp, digest
    return digest


def known_digest(path: Path) -> str:
    """Return the SHA-256 of a file as it was when this process last read all of it, if its size, date and inode are still those."""
    stamp, digest = _read.get(path, (None, ""))
    return digest if stamp == _stamp(path.stat()) else file_digest(path)


def note_digest(path: Path, digest: str) -> None:
    """Have `known_digest` know the SHA-256 of a file that this process has just written, and hashed while it did."""
    _read[path] = _stamp(path.stat()), digest


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ino


_read: dict[Path, tuple[tuple[int, int, int], str]] = {}
