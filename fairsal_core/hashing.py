"""Short names for what something depends on."""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from fairsal_core.files import open_regular

BLOCK = 2**24  # bytes
_PIECE = 2**20  # that are read at a time


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
    return _known(path, _read, file_digest)


class BlockDigest:
    """A digest of bytes as they come, which `blocks_digest` of the file they are written to gives too.

    It is the SHA-256 of the SHA-256s of all blocks of `BLOCK` bytes, of which the last may be shorter: one for whose parts no core
    has to wait for another.
    """

    def __init__(self) -> None:
        self._whole, self._block, self._left = hashlib.sha256(), hashlib.sha256(), BLOCK

    def update(self, content: bytes | memoryview) -> None:
        """Take more bytes."""
        view = memoryview(content).cast("B")
        while view:
            part, view = view[: self._left], view[self._left :]
            self._block.update(part)
            self._left -= len(part)
            if not self._left:
                self._whole.update(self._block.digest())
                self._block, self._left = hashlib.sha256(), BLOCK

    def hexdigest(self) -> str:
        """Return the digest of what came until now."""
        whole = self._whole.copy()
        if self._left < BLOCK:
            whole.update(self._block.digest())
        return whole.hexdigest()


def blocks_digest(path: Path) -> str:
    """Return the `BlockDigest` of a file, whose blocks are read on all cores."""
    with open_regular(path) as stream:
        stamp = _stamp(os.fstat(stream.fileno()))

    def of_block(begin: int) -> bytes:
        block, left = hashlib.sha256(), BLOCK
        with open_regular(path) as stream:
            stream.seek(begin)
            while left and (part := stream.read(min(left, _PIECE))):
                block.update(part)
                left -= len(part)
        return block.digest()

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # neither reading nor hashing holds the GIL
        digests = list(pool.map(of_block, range(0, stamp[0], BLOCK)))
    digest = hashlib.sha256(b"".join(digests)).hexdigest()
    _read_in_blocks[path] = stamp, digest
    return digest


def known_blocks_digest(path: Path) -> str:
    """Return the `blocks_digest` of a file as `known_digest` does its SHA-256."""
    return _known(path, _read_in_blocks, blocks_digest)


def _known(path: Path, read: "_Read", digest_of: Callable[[Path], str]) -> str:
    stamp, digest = read.get(path, (None, ""))
    return digest if stamp == _stamp(path.stat()) else digest_of(path)


def note_blocks_digest(path: Path, digest: str) -> None:
    """Have `known_blocks_digest` know the digest of a file that this process has just written, and hashed while it did."""
    _read_in_blocks[path] = _stamp(path.stat()), digest


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ino


_Read = dict[Path, tuple[tuple[int, int, int], str]]
_read: _Read = {}
_read_in_blocks: _Read = {}
