"""Packing: decode every image once into one memory-mapped array, so that training reads pixels at memory speed."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
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
from fairsal_core.progress import Progress, silent

IMAGE_SIZE = 128
_FORMAT = 1
_CHUNK = 512
_Mapped = np.memmap[Any, np.dtype[np.uint8]]
_STATE, _PARTIAL = "partial.json", "images.partial.npy"


def pack(faces: FaceDataset, cache: Path, image_size: int = IMAGE_SIZE, progress: Progress = silent) -> FaceDataset:
    """Decode every image to uint8 (image_size, image_size, 3) in one memory-mapped file, or open the one made before.

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
    folder = cache / f"{faces.name}-{packing_key(faces, image_size)}"
    folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / "lock"):
        found = _open_packed(folder, len(faces), image_size)
        if found is None:
            _pack_all(faces, folder, image_size, progress)
            found = _open_packed(folder, len(faces), image_size)
    if found is None:
        raise FairsalError(f"The packed images in {folder} cannot be read; delete that folder and try again.")
    packed, undecodable = found
    kept = np.flatnonzero(~faces.names.isin(list(undecodable)))
    if not len(kept):
        first, reason = next(iter(undecodable.items()))
        raise FairsalError(
            f"None of the {len(faces)} images in {faces.image_folder} could be read; the first, {first}: {reason}"
        )
    return replace(faces.take(kept), packed=packed, rows=kept)


def undecodable_files(faces: FaceDataset, cache: Path, image_size: int = IMAGE_SIZE) -> dict[str, str]:
    """Return file name and reason for each image that packing left out; `faces` as given to `pack`."""
    manifest = read_json(cache / f"{faces.name}-{packing_key(faces, image_size)}" / "manifest.json")
    return dict(manifest["undecodable"])


def packing_key(faces: FaceDataset, image_size: int = IMAGE_SIZE) -> str:
    """Return a short hash of what the packed array depends on: the folder, its date, the file names, the size."""
    digest = hashlib.sha256()
    stamp = faces.image_folder.stat().st_mtime_ns
    digest.update(f"{_FORMAT}|{faces.image_folder.resolve()}|{stamp}|{image_size}".encode())
    for name in faces.names:
        digest.update(name.encode())
        digest.update(b"\n")
    return digest.hexdigest()[:16]


def _open_packed(folder: Path, count: int, size: int) -> tuple[NDArray[np.uint8], dict[str, str]] | None:
    """Return the packed array and what did not decode; None if there is none, or not a whole one."""
    with suppress(OSError, ValueError, KeyError, TypeError, EOFError):
        undecodable: dict[str, str] = dict(read_json(folder / "manifest.json")["undecodable"])
        packed = np.load(folder / "images.npy", mmap_mode="r")
        if packed.shape == (count, size, size, 3) and packed.dtype == np.uint8:
            return packed, undecodable
    return None


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
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # Pillow decodes and scales without holding the GIL
        for start in range(state["done"], len(faces), _CHUNK):
            progress(start, len(faces), f"Packing {faces.name}")
            names = faces.names[start : start + _CHUNK]
            for offset, result in enumerate(pool.map(lambda name: _decode(faces.image_folder / name, size), names)):
                if isinstance(result, str):
                    state["undecodable"][names[offset]] = result
                else:
                    packed[start + offset] = result
            packed.flush()
            write_json(state_path, {**state, "done": start + len(names)})
    progress(len(faces), len(faces), f"Packing {faces.name}")
    os.replace(partial_path, folder / "images.npy")
    write_json(folder / "manifest.json", {"format": _FORMAT, "shape": shape, "undecodable": state["undecodable"]})
    state_path.unlink()


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
