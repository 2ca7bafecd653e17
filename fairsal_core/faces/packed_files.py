"""Some faces packed in one memory-mapped file: decoded on every core, resumable, compared with what was written when it is read.

A packed set is found by its files' names, sizes and dates. It keeps the SHA-256 of each of them, and has a manifest; pixels that
are not what it says are packed again, and that is said.
"""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.decoding import decode_image, read_image, to_square
from fairsal_core.files import MOST_TABLE, check_room, new_array, read_json, write_json
from fairsal_core.hashing import BlockDigest, note_blocks_digest
from fairsal_core.home import leads_out
from fairsal_core.locks import holding
from fairsal_core.manifests import (
    DamagedError,
    check_file,
    check_file_once,
    entries_of,
    entry_in_blocks_of,
    read_manifest,
    write_manifest,
)
from fairsal_core.progress import Progress, silent, tell
from fairsal_core.versions import STAGES

_FORMAT = 2  # of a packed set's folder
_CHUNK, _TASK = 512, 16  # faces between two states, and of a task
_BLOCK = 2**20
_Mapped = np.memmap[Any, np.dtype[np.uint8]]
_STATE, _PARTIAL, _PARTIAL_DIGESTS = "partial.json", "images.partial.npy", "digests.partial.npy"
_IMAGES, _DIGESTS = "images.npy", "digests.npy"
DIGEST_BYTES = 32
UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, FairsalError)


class Packed(NamedTuple):
    """What is packed of some faces: pixels, the digest of each file, and which do not decode and why."""

    pixels: NDArray[np.uint8]
    digests: NDArray[np.uint8]
    undecodable: dict[str, str]


def files_key(faces: FaceDataset, image_size: int = 128) -> str:
    """Return a short hash of the files themselves: the folder, and of each file its name, size and date."""
    about = f"{_FORMAT}|{STAGES['packing']}|{faces.image_folder.resolve()}|{image_size}\n"
    digest = hashlib.sha256(about.encode())
    stamps = stamped(faces).stamps
    assert stamps is not None
    for name, (size, changed) in zip(faces.names, stamps.tolist(), strict=True):
        digest.update(f"{name}|{size}|{changed}\n".encode())
    return digest.hexdigest()[:16]


def stamped(faces: FaceDataset) -> FaceDataset:
    """Return the faces with the size and date of each of their files: as they have them, or as they are now."""
    return faces if faces.stamps is not None else replace(faces, stamps=stamps_of(faces))


def stamps_of(faces: FaceDataset) -> NDArray[np.int64]:
    """Return size and time of change in ns of each face's file as it is now, (N, 2); -1 where it is missing."""
    stamps = np.full((len(faces), 2), -1, dtype=np.int64)
    folder = f"{faces.image_folder}{os.sep}"
    for row, name in enumerate(faces.names):
        with suppress(OSError, ValueError):  # which packing will say
            found = os.stat(folder + name)  # noqa: PTH116  # 200,000 of them: a Path each takes twice as long
            stamps[row] = found.st_size, found.st_mtime_ns
    return stamps


def packed_files(faces: FaceDataset, folder: Path, size: int, progress: Progress = silent) -> Packed:
    """Return what is packed of all these faces, packed now if they were not before."""
    folder.mkdir(parents=True, exist_ok=True)
    said = f"Another process packs {faces.name}: waiting for it"
    # A second packer of the same set waits and then finds it done.
    with holding(folder / "lock", lambda: progress(0, len(faces), said)):
        found = _open_or_tell(faces, folder, size, progress)
        if found is None:
            _pack_all(faces, folder, size, progress)
            found = _open_or_tell(faces, folder, size, progress)
    if found is None:
        raise FairsalError(f"The packed images in {folder} cannot be read; delete that folder and try again.")
    return found


def _open_or_tell(faces: FaceDataset, folder: Path, size: int, progress: Progress) -> Packed | None:
    """Return what is packed of all faces; None if there is none, or, which is said, none that can be used."""
    try:
        found = open_packed(folder, size)
        if found is None or len(found.digests) == len(faces):
            return found
        reason = "it holds other faces"
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
    tell(progress, f"What was packed of {faces.name} is damaged ({reason}): it is packed again.")
    return None


def open_packed(folder: Path, size: int) -> Packed | None:
    """Return what is packed in a folder, compared with its manifest, the pixels once in this process; None if nothing is."""
    if read_manifest(folder) is None:
        return None
    images, (digests, undecodable) = open_pixels(folder, size), known_of(folder)
    if len(images) != len(digests):
        raise DamagedError(f"{len(images)} images, {len(digests)} digests")
    return Packed(images, digests, undecodable)


def known_of(folder: Path) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """Return the digests of what is packed in a folder, and which files did not decode and why; no pixel is read."""
    manifest = _manifest(folder)
    check_file(folder, _DIGESTS, manifest["files"])
    digests: NDArray[np.uint8] = np.load(folder / _DIGESTS)
    return digests, dict(manifest["undecodable"])


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    if manifest is None:
        raise DamagedError(f"{folder.name} is gone")
    return manifest


def open_pixels(folder: Path, size: int) -> NDArray[np.uint8]:
    """Return the one memory-mapped file in a folder, which is what its manifest says; all of it is read once in this process."""
    check_file_once(folder, _IMAGES, _manifest(folder)["files"])
    packed: NDArray[np.uint8] = np.load(folder / _IMAGES, mmap_mode="r")
    if packed.dtype != np.uint8 or packed.shape[1:] != (size, size, 3):
        raise ValueError(f"{folder} holds {packed.dtype} {packed.shape}")
    return packed


def _go_on_with(folder: Path, shapes: Sequence[tuple[int, ...]]) -> tuple[list[_Mapped], dict[str, Any]] | None:
    """Return the arrays of an interrupted packing and how far it came; None if there are none that fit."""
    with suppress(OSError, ValueError, KeyError, TypeError, EOFError):
        state = read_json(folder / _STATE, MOST_TABLE)
        arrays = [np.lib.format.open_memmap(folder / name, mode="r+") for name in (_PARTIAL, _PARTIAL_DIGESTS)]
        fit = [array.shape for array in arrays] == list(shapes) and all(array.dtype == np.uint8 for array in arrays)
        if fit and isinstance(state["undecodable"], dict):
            return arrays, {"done": int(state["done"]), "undecodable": state["undecodable"]}
    return None


def _pack_all(faces: FaceDataset, folder: Path, size: int, progress: Progress) -> None:
    state_path, partial, partial_digests = (folder / name for name in (_STATE, _PARTIAL, _PARTIAL_DIGESTS))
    shapes = ((len(faces), size, size, 3), (len(faces), DIGEST_BYTES))
    (packed, digests), state = _go_on_with(folder, shapes) or (
        _new_arrays((partial, partial_digests), shapes),
        {"done": 0, "undecodable": {}},
    )
    begins, chunks = packed.offset, _chunks(state["done"], len(faces))
    # Written as a file, and not through a memory map, whose pages the system would first fill with zeros.
    del packed
    buffers = [np.empty((min(_CHUNK, len(faces)), *shapes[0][1:]), dtype=np.uint8) for _ in range(2)]
    with partial.open("r+b") as file, _workers() as pool:
        written = _hash_of_first(file, begins + state["done"] * buffers[0][0].nbytes)
        at_work: dict[int, list[Future[dict[str, str]]]] = {}
        for number, rows in enumerate(chunks):
            progress(rows.start, len(faces), f"Packing {faces.name}")
            # The next chunk is begun before this one is written down, so that no core waits for the disk.
            for ahead in range(number, min(number + 2, len(chunks))):
                if ahead not in at_work:
                    at_work[ahead] = _begin(pool, buffers[ahead % 2], digests, faces, chunks[ahead], size)
            for task in at_work[number]:
                state["undecodable"] |= task.result()
            pixels = buffers[number % 2][: rows.stop - rows.start].data
            file.write(pixels)
            written.update(pixels)
            file.flush()
            os.fsync(file.fileno())
            digests.flush()
            write_json(state_path, {**state, "done": rows.stop})
    progress(len(faces), len(faces), f"Packing {faces.name}")
    del digests  # no system but POSIX ones renames a file that is mapped
    os.replace(partial, folder / _IMAGES)
    os.replace(partial_digests, folder / _DIGESTS)
    note_blocks_digest(folder / _IMAGES, written.hexdigest())
    files = entries_of(folder, [folder / _DIGESTS]) | {_IMAGES: entry_in_blocks_of(folder / _IMAGES)}
    write_manifest(folder, {"format": _FORMAT, "files": files, "undecodable": state["undecodable"]})
    state_path.unlink()


def _new_arrays(paths: Sequence[Path], shapes: Sequence[tuple[int, ...]]) -> list[_Mapped]:
    """Return the arrays of a packing that begins. Room that is reserved takes five times as long to write to: none is."""
    check_room(paths[0].parent, math.prod(shapes[0]) + math.prod(shapes[1]))
    images = np.lib.format.open_memmap(paths[0], mode="w+", dtype=np.uint8, shape=shapes[0])
    return [images, new_array(paths[1], np.uint8, shapes[1])]


def _hash_of_first(file: BinaryIO, count: int) -> BlockDigest:
    """Return the digest of a file's first bytes, to go on with; the next that is read or written is what follows them."""
    digest = BlockDigest()
    while left := count - file.tell():
        block = file.read(min(left, _BLOCK))
        if not block:
            raise OSError(f"{file.name} is too short")
        digest.update(block)
    file.seek(count)
    return digest


def _chunks(begin: int, end: int) -> list[slice]:
    return [slice(start, min(start + _CHUNK, end)) for start in range(begin, end, _CHUNK)]


@contextmanager
def _workers() -> Iterator[ThreadPoolExecutor]:
    """Give a thread for every core: Pillow decodes and scales without holding the GIL. What has not begun at the end never does."""
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def decode_into(
    images: NDArray[np.uint8], digests: NDArray[np.uint8], faces: FaceDataset, size: int, progress: Progress = silent
) -> dict[str, str]:
    """Decode all faces into their rows, on every core, and return what did not decode and why."""
    undecodable: dict[str, str] = {}
    with _workers() as pool:
        for rows in _chunks(0, len(faces)):
            progress(0, len(faces), f"Decoding {faces.name}")
            for task in _begin(pool, images[rows], digests, faces, rows, size):
                undecodable |= task.result()
    return undecodable


def _begin(
    pool: ThreadPoolExecutor,
    images: NDArray[np.uint8],
    digests: NDArray[np.uint8],
    faces: FaceDataset,
    rows: slice,
    size: int,
) -> list["Future[dict[str, str]]"]:
    """Have some of the faces decoded, into the first images and their own digests; each task gives what did not decode."""

    def decode(start: int, names: list[str]) -> dict[str, str]:
        undecodable = {}
        for row, name in enumerate(names, start=start):
            result = _decode(faces.image_folder / name, size)
            if isinstance(result, str):
                undecodable[name] = result
                images[row - rows.start] = 0
            else:
                images[row - rows.start], digests[row] = result
        return undecodable

    names = list(map(str, faces.names[rows]))
    return [
        pool.submit(decode, rows.start + start, names[start : start + _TASK]) for start in range(0, len(names), _TASK)
    ]


def _decode(path: Path, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
    """Return the pixels of an image file and the digest of the bytes they were decoded from, or why there are none."""
    if path.is_symlink() and leads_out(path, path.parent):
        return f"{path.name} is a link out of the image folder."
    try:
        content = read_image(path)
        digest = np.frombuffer(hashlib.sha256(content).digest(), dtype=np.uint8)
        return to_square(decode_image(content, path.name), size), digest
    except FairsalError as error:
        return str(error)
