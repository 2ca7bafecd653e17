"""A file's digest in blocks, on all cores, is that of its bytes as they came, and no other file's."""

import hashlib
import os
from pathlib import Path

import pytest

from fairsal_core import hashing
from fairsal_core.hashing import BlockDigest, blocks_digest, known_blocks_digest


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "BLOCK", 1000)
    monkeypatch.setattr(hashing, "_PIECE", 300)


def plainly(content: bytes) -> str:
    blocks = [content[begin : begin + 1000] for begin in range(0, len(content), 1000)]
    return hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in blocks)).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 4000, 12_345])
@pytest.mark.parametrize("step", [1, 7, 1000, 20_000])
def test_it_is_the_same_however_it_comes(size: int, step: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    digest = BlockDigest()
    for begin in range(0, size, step):
        digest.update(memoryview(content)[begin : begin + step])
    (tmp_path / "file").write_bytes(content)
    assert digest.hexdigest() == digest.hexdigest() == plainly(content) == blocks_digest(tmp_path / "file")


def test_any_other_byte_and_any_other_order_is_another(tmp_path: Path) -> None:
    content = bytes(range(256)) * 12
    others = [content[1000:2000] + content[:1000] + content[2000:], content[:-1], content + b"\0"]
    others += [content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in (0, 999, 1000, len(content) - 1)]
    file = tmp_path / "file"
    file.write_bytes(content)
    digest = blocks_digest(file)
    for other in others:
        file.write_bytes(other)
        assert blocks_digest(file) != digest


def test_it_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"first")
    digest = known_blocks_digest(file)
    with monkeypatch.context() as patch:
        patch.setattr(hashing, "open_regular", None)
        assert known_blocks_digest(file) == digest
    file.write_bytes(b"second")
    assert known_blocks_digest(file) == plainly(b"second") != digest
