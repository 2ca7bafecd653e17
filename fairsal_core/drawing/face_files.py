"""The two files of a face: its picture as JPEG and its part labels as PNG."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from fairsal_core.drawing.face import DrawnFace, draw_face
from fairsal_core.drawing.streams import Streams

PICTURES = "img_align_celeba"
"""The folder of the pictures, as CelebA calls it."""

_PARTS = "parts"


def make_folders(folder: Path) -> None:
    """Make the folders that faces are written to."""
    for name in (PICTURES, _PARTS):
        (folder / name).mkdir()


def count_faces(folder: Path) -> int:
    """Return how many faces are written: a face's parts come after its picture."""
    return sum(1 for _ in os.scandir(folder / _PARTS))


def face_picture(seed: int, index: int) -> bytes:
    """Draw face `index` and return its picture, as its file holds it."""
    return _jpeg(draw_face(seed, index), seed, index)


def _jpeg(face: DrawnFace, seed: int, index: int) -> bytes:
    """Return a face's picture as JPEG, at a quality of its own."""
    quality = Streams(seed, index)("jpeg").randrange(72, 94)
    picture = io.BytesIO()  # Pillow writes to a file in many small pieces
    face.image.save(picture, "JPEG", quality=quality)
    return picture.getvalue()


def write_face(folder: Path, seed: int, index: int) -> None:
    """Draw face `index` and write its files."""
    face = draw_face(seed, index)
    (folder / PICTURES / f"{index:06d}.jpg").write_bytes(_jpeg(face, seed, index))
    (folder / _PARTS / f"{index:06d}.png").write_bytes(_png(face.parts))


def _png(parts: Image.Image) -> bytes:
    """Return part labels as a PNG. Pillow tries five filters on every row, which takes longer than drawing the head."""
    rows = np.zeros((parts.height, 1 + parts.width), dtype=np.uint8)  # each row starts with its filter: 0, none
    rows[:, 1:] = np.asarray(parts)
    header = struct.pack(">IIBBBBB", parts.width, parts.height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)  # a row is a few runs: nothing else is worth looking for
    body = packer.compress(rows.tobytes()) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
