"""Packing: decode every image once into memory-mapped arrays, so that training reads pixels at memory speed.

A set of up to `PACKED_WHOLE` faces is one file. Of a larger one what is wanted is packed when it is wanted (`on_demand`).
"""

from collections.abc import Container
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.on_demand import OnDemand, parts_folder
from fairsal_core.faces.packed_files import (
    DIGEST_BYTES,
    UNREADABLE,
    decode_into,
    files_key,
    open_packed,
    packed_files,
    stamped,
)
from fairsal_core.manifests import read_manifest
from fairsal_core.progress import Progress, silent

IMAGE_SIZE = 128
PACKED_WHOLE = 8_192  # faces: 403 MB, some five seconds of two cores


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
        With `packed` and `rows` set, and without the faces whose file did not decode. A set of more than `PACKED_WHOLE` faces keeps
        them all: its pictures are packed when they are read, and `readable` leaves out what does not decode.

    Raises
    ------
    FairsalError
        If not one image decodes.
    """
    faces = stamped(faces)
    if len(faces) > PACKED_WHOLE:
        wanted = OnDemand(faces, packed_folder(faces, cache, image_size), image_size, progress)
        return replace(faces, packed=wanted, digests=None, rows=np.arange(len(faces)))
    packed, digests, undecodable = packed_files(faces, packed_folder(faces, cache, image_size), image_size, progress)
    kept = _leave_out(replace(faces, packed=packed, digests=digests, rows=np.arange(len(faces))), undecodable)
    if not len(kept):
        first, reason = next(iter(undecodable.items()))
        raise FairsalError(
            f"None of the {len(faces)} images in {faces.image_folder} could be read; the first, {first}: {reason}"
        )
    return kept


def pack_quietly(faces: FaceDataset) -> FaceDataset:
    """Return packed faces of which nobody is told when more of them is packed: whoever loaded them is gone by then."""
    if isinstance(faces.packed, OnDemand):
        faces.packed.progress = silent
    return faces


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
    found = _already_packed(faces, folder, image_size)
    if found is not None:
        return found
    images = np.empty((len(faces), image_size, image_size, 3), dtype=np.uint8)
    digests = np.zeros((len(faces), DIGEST_BYTES), dtype=np.uint8)
    undecodable = decode_into(images, digests, faces, image_size, progress)
    return _leave_out(replace(faces, packed=images, digests=digests, rows=np.arange(len(faces))), undecodable)


def _already_packed(faces: FaceDataset, folder: Path, size: int) -> FaceDataset | None:
    """Return some faces with their pixels, if those are packed and whole; nothing is packed."""
    if faces.rows is None:
        return None
    with suppress(*UNREADABLE):
        if packed := open_packed(folder, size):
            there = replace(faces, packed=packed.pixels, digests=packed.digests[faces.rows])
            return _leave_out(there, packed.undecodable)
        parts, rows = OnDemand(faces, folder, size), np.arange(len(faces))
        if len(faces) and not parts.lacks(rows):
            kept = replace(faces, packed=parts, rows=rows).readable
            return replace(kept, packed=kept.images, digests=kept.file_digests, rows=np.arange(len(kept)))
    return None


def _leave_out(faces: FaceDataset, undecodable: Container[str]) -> FaceDataset:
    return faces.take([row for row, name in enumerate(faces.names) if name not in undecodable])


def undecodable_files(faces: FaceDataset, cache: Path, image_size: int = IMAGE_SIZE) -> dict[str, str]:
    """Return file name and reason for each image that packing left out, as far as it went; `faces` as given to `pack`."""
    folder = packed_folder(faces, cache, image_size)
    if len(faces) > PACKED_WHOLE:
        return OnDemand(faces, folder, image_size).reasons()
    return dict((read_manifest(folder) or {"undecodable": {}})["undecodable"])


def packed_folder(faces: FaceDataset, cache: Path, image_size: int = IMAGE_SIZE) -> Path:
    """Return the folder that these faces, a whole set, are packed in, or would be."""
    if len(faces) > PACKED_WHOLE:
        return parts_folder(faces, cache, image_size)
    return cache / f"{faces.name}-{files_key(faces, image_size)}"
