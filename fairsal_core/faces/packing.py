"""Packing: decode every image once into memory-mapped arrays, so that training reads pixels at memory speed.

A set of up to `SHARD` faces is one file. A larger one is several, each of them a packed set of its own, found by its files'
names, sizes and dates: where a folder has changed, only the shards with other files are packed again.
"""

import fcntl
import hashlib
import os
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.decoding import decode_image, to_square
from fairsal_core.files import read_json, write_json
from fairsal_core.home import leads_out
from fairsal_core.progress import Progress, part_of, silent
from fairsal_core.rows import Rows

IMAGE_SIZE = 128
SHARD = 16_384  # faces: 805 MB
_FORMAT = 1
_CHUNK = 512
_Mapped = np.memmap[Any, np.dtype[np.uint8]]
_Pixels = NDArray[np.uint8] | Rows
_STATE, _PARTIAL, _IMAGES, _MANIFEST = "partial.json", "images.partial.npy", "images.npy", "manifest.json"


def pack(faces: FaceDataset, cache: Path, image_size: int = IMAGE_SIZE, progress: Progress = silent) -> FaceDataset:
    """Decode every image to uint8 (image_size, image_size, 3) in memory-mapped files, or open those made before.

    The work is parallel and resumable: an interrupted packing goes on where it stopped. A file that does not decode is
    named in the manifest and left out of the result; it never stops the others.

    Parameters
    ----------
    faces : FaceDataset
        As loaded.
    cache : Path
        Folder that holds the packed arrays, one sub-folder a set.
    image_size : int
        Side in pixels.
    progress : Progress
        Called after every few hundred images; may raise to stop.

    Returns
    -------
    FaceDataset
        With `packed` and `rows` set, and without the faces whose file did not decode.

    Raises
    ------
    FairsalError
        If not one image decodes.
    """
    packed, undecodable = _packed(faces, packed_folder(faces, cache, image_size), image_size, progress)
    kept = _leave_out(replace(faces, packed=packed, rows=np.arange(len(faces))), undecodable)
    if not len(kept):
        first, reason = next(iter(undecodable.items()))
        raise FairsalError(
            f"None of the {len(faces)} images in {faces.image_folder} could be read; the first, {first}: {reason}"
        )
    return kept


def with_pixels(
    faces: FaceDataset, folder: Path, image_size: int = IMAGE_SIZE, progress: Progress = silent
) -> FaceDataset:
    """Return some faces of a set with their pixels: from the packed set where it is there, else decoded into memory.

    Parameters
    ----------
    faces : FaceDataset
        As chosen from a set that was loaded and not packed, with their `rows` in it.
    folder : Path
        The whole set's `packed_folder`; it need not be there.
    image_size : int
        Side in pixels.
    progress : Progress
        Called while decoding; may raise to stop.

    Returns
    -------
    FaceDataset
        Without those whose file does not decode, which may be all.
    """
    found = _open_packed(folder, image_size)
    if found is not None and faces.rows is not None:
        return _leave_out(replace(faces, packed=found[0]), found[1])
    images = np.empty((len(faces), image_size, image_size, 3), dtype=np.uint8)
    undecodable: dict[str, str] = {}
    for start in range(0, len(faces), _CHUNK):
        progress(0, len(faces), f"Decoding {faces.name}")
        undecodable |= _decode_chunk(images, faces, slice(start, start + _CHUNK), image_size)
    return _leave_out(replace(faces, packed=images, rows=np.arange(len(faces))), undecodable)


def _leave_out(faces: FaceDataset, undecodable: Container[str]) -> FaceDataset:
    return faces.take([row for row, name in enumerate(faces.names) if name not in undecodable])


def undecodable_files(faces: FaceDataset, cache: Path, image_size: int = IMAGE_SIZE) -> dict[str, str]:
    """Return file name and reason for each image that packing left out; `faces` as given to `pack`."""
    return dict(read_json(packed_folder(faces, cache, image_size) / _MANIFEST)["undecodable"])


def packed_folder(faces: FaceDataset, cache: Path, image_size: int = IMAGE_SIZE) -> Path:
    """Return the folder that these faces are packed in, or would be."""
    return cache / f"{faces.name}-{packing_key(faces, image_size)}"


def packing_key(faces: FaceDataset, image_size: int = IMAGE_SIZE) -> str:
    """Return a short hash of what the packed array depends on: the folder, its date, the file names, the size."""
    digest = hashlib.sha256()
    stamp = faces.image_folder.stat().st_mtime_ns
    digest.update(f"{_FORMAT}|{faces.image_folder.resolve()}|{stamp}|{image_size}".encode())
    for name in faces.names:
        digest.update(name.encode())
        digest.update(b"\n")
    return digest.hexdigest()[:16]


def files_key(faces: FaceDataset, image_size: int = IMAGE_SIZE) -> str:
    """Return a short hash of the files themselves: the folder, and of each file its name, size and date."""
    digest = hashlib.sha256(f"{_FORMAT}|{faces.image_folder.resolve()}|{image_size}".encode())
    for name in faces.names:
        try:
            found = (faces.image_folder / name).stat()
            digest.update(f"{name}|{found.st_size}|{found.st_mtime_ns}\n".encode())
        except OSError:  # which packing will say
            digest.update(f"{name}|absent\n".encode())
    return digest.hexdigest()[:16]


def _packed(faces: FaceDataset, folder: Path, size: int, progress: Progress) -> tuple[_Pixels, dict[str, str]]:
    """Return the pixels of all faces and what did not decode, packed now if they were not before."""
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / "lock"):
        found = _open_packed(folder, size)
        if found is None or len(found[0]) != len(faces):
            (_pack_all if len(faces) <= SHARD else _pack_shards)(faces, folder, size, progress)
            found = _open_packed(folder, size)
    if found is None:
        raise FairsalError(f"The packed images in {folder} cannot be read; delete that folder and try again.")
    return found


def _open_packed(folder: Path, size: int) -> tuple[_Pixels, dict[str, str]] | None:
    """Return the packed array and what did not decode; None if there is none, or not a whole one."""
    with suppress(OSError, ValueError, KeyError, TypeError, EOFError):
        manifest = read_json(folder / _MANIFEST)
        undecodable: dict[str, str] = dict(manifest["undecodable"])
        shards = manifest.get("shards")
        if shards is None:
            return _open_images(folder, size), undecodable
        parts = [_open_images(folder.with_name(each), size) for each in shards]
        return Rows([len(part) for part in parts], parts.__getitem__, (size, size, 3), np.uint8), undecodable
    return None


def _open_images(folder: Path, size: int) -> NDArray[np.uint8]:
    """Return the one memory-mapped file in a folder; ValueError if it is another array than was packed."""
    packed: NDArray[np.uint8] = np.load(folder / _IMAGES, mmap_mode="r")
    if packed.dtype != np.uint8 or packed.shape[1:] != (size, size, 3):
        raise ValueError(f"{folder} holds {packed.dtype} {packed.shape}")
    return packed


def _pack_shards(faces: FaceDataset, folder: Path, size: int, progress: Progress) -> None:
    """Pack a large set shard by shard, each beside the set's folder, which is left with their names alone."""
    shards: list[str] = []
    undecodable: dict[str, str] = {}
    for start in range(0, len(faces), SHARD):
        shard = faces.take(np.arange(start, min(start + SHARD, len(faces))))
        where = folder.with_name(f"{faces.name}-{files_key(shard, size)}")
        undecodable |= _packed(shard, where, size, part_of(progress, start, len(faces)))[1]
        shards.append(where.name)
    write_json(folder / _MANIFEST, {"format": _FORMAT, "shards": shards, "undecodable": undecodable})


def _begin_array(path: Path, shape: tuple[int, ...]) -> _Mapped:
    """Make the array's file, with room for all of it: a disk that fills up under a memory map kills the process."""
    packed = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, file.seek(0, os.SEEK_END))
        except OSError:
            path.unlink()
            raise
    return packed


def _go_on_with(folder: Path, shape: tuple[int, ...]) -> tuple[_Mapped, dict[str, Any]] | None:
    """Return the array of an interrupted packing and how far it came; None if there is none that fits."""
    with suppress(OSError, ValueError, KeyError, TypeError, EOFError):
        state = read_json(folder / _STATE)
        packed = np.lib.format.open_memmap(folder / _PARTIAL, mode="r+")
        if packed.shape == shape and packed.dtype == np.uint8 and isinstance(state["undecodable"], dict):
            return packed, {"done": int(state["done"]), "undecodable": state["undecodable"]}
    return None


def _pack_all(faces: FaceDataset, folder: Path, size: int, progress: Progress) -> None:
    state_path, partial_path = folder / _STATE, folder / _PARTIAL
    shape = (len(faces), size, size, 3)
    packed, state = _go_on_with(folder, shape) or (
        _begin_array(partial_path, shape),
        {"done": 0, "undecodable": {}},
    )
    for start in range(state["done"], len(faces), _CHUNK):
        progress(start, len(faces), f"Packing {faces.name}")
        rows = slice(start, min(start + _CHUNK, len(faces)))
        state["undecodable"] |= _decode_chunk(packed, faces, rows, size)
        packed.flush()
        write_json(state_path, {**state, "done": rows.stop})
    progress(len(faces), len(faces), f"Packing {faces.name}")
    os.replace(partial_path, folder / _IMAGES)
    write_json(folder / _MANIFEST, {"format": _FORMAT, "shape": shape, "undecodable": state["undecodable"]})
    state_path.unlink()


def _decode_chunk(images: NDArray[np.uint8], faces: FaceDataset, rows: slice, size: int) -> dict[str, str]:
    """Decode some of the faces into their rows, on every core, and return what did not decode."""
    names, undecodable = faces.names[rows], {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # Pillow decodes and scales without holding the GIL
        results = pool.map(lambda name: _decode(faces.image_folder / name, size), names)
        for row, name, result in zip(range(len(faces))[rows], names, results, strict=True):
            if isinstance(result, str):
                undecodable[name] = result
            else:
                images[row] = result
    return undecodable


def _decode(path: Path, size: int) -> NDArray[np.uint8] | str:
    if path.is_symlink() and leads_out(path, path.parent):
        return f"{path.name} is a link out of the image folder."
    try:
        return to_square(decode_image(path), size)
    except FairsalError as error:
        return str(error)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a kernel lock: a second packer of the same set waits and then finds it done."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
