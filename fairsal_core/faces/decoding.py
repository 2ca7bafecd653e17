"""From an image file of any origin to the square RGB array everything else works on, without trusting the file."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fairsal_core.errors import FairsalError
from fairsal_core.files import open_regular

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 1024 * 1024
# A small PNG can hold an image whose pixels fill the memory, so the size is checked before anything is decoded.
MAX_PIXELS = 40_000_000
MAX_ASPECT = 4.0
# Larger ones are scaled down before anything copies them, and decoded one at a time: what a picture may cost in memory
# is then bounded, however many people upload one.
_LARGE_SIDE = 2048
_LARGE_PIXELS = 8_000_000
_one_large_at_a_time = threading.Lock()
# CelebA's aligned images; squeezing the whole frame keeps neckties and hats in the picture.
ALIGNED_ASPECT = 178 / 218
ASPECT_SLACK = 0.02  # a shape this near is that shape


def decode_image(source: Path | bytes, name: str = "") -> Image.Image:
    """Open one image safely.

    Parameters
    ----------
    source : path or bytes
        A file, or the content of one.
    name : str
        What to call it in an error; by default the file's name.

    Returns
    -------
    PIL.Image.Image
        RGB, upright (EXIF orientation applied), transparency composited on white, 16 bit scaled to 8.

    Raises
    ------
    FairsalError
        One sentence: not an image, truncated, animated, too many pixels or bytes, or of extreme shape.
    """
    name = name or (source.name if isinstance(source, Path) else "The image")
    with (
        _told_of(name),
        io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as stream,
    ):
        return _decode(stream, name)


def read_image(path: Path) -> bytes:
    """Return the content of an image file, for `decode_image`; raises FairsalError for one that it would not open."""
    with _told_of(path.name), open_regular(path) as stream:
        _check_size(stream, path.name)
        return stream.read(MAX_BYTES)


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """Say in one sentence what is wrong with an image file."""
    try:
        yield
    except FairsalError:
        raise
    except FileNotFoundError:
        raise FairsalError(f"{name} is missing.") from None
    except UnidentifiedImageError:
        raise FairsalError(f"{name} is not a PNG, JPEG or WebP image.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FairsalError(f"{name} has too many pixels; the most is {MAX_PIXELS // 10**6} million.") from None
    except Exception as error:  # a damaged file makes Pillow raise anything, struct.error and TypeError among them
        raise FairsalError(
            f"{name} does not decode ({_reason(error)}); the file may be cut short or damaged."
        ) from error


def _decode(stream: BinaryIO, name: str) -> Image.Image:
    _check_size(stream, name)
    with Image.open(stream, formats=FORMATS) as image:
        _check_shape(image, name)
        with _one_large_at_a_time if image.width * image.height > _LARGE_PIXELS else nullcontext():
            return _to_rgb(ImageOps.exif_transpose(_shrunk(image)))


def _check_size(stream: BinaryIO, name: str) -> None:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if size > MAX_BYTES:
        raise FairsalError(f"{name} has {size / 2**20:.0f} MB; the most is {MAX_BYTES // 2**20} MB.")


def to_square(image: Image.Image, size: int = 128) -> NDArray[np.uint8]:
    """Scale an image to (size, size, 3) uint8; a shape other than CelebA's 178x218 frame is centre-cropped to it first."""
    width, height = image.size
    if abs(width / height / ALIGNED_ASPECT - 1) > ASPECT_SLACK:
        image = image.crop(aligned_crop(width, height))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0))


def aligned_crop(width: int, height: int) -> tuple[int, int, int, int]:
    """Return the largest centred box (left, top, right, bottom) of CelebA's 178:218 shape.

    Examples
    --------
    >>> aligned_crop(400, 218)
    (111, 0, 289, 218)
    """
    crop_width = min(width, round(height * ALIGNED_ASPECT))
    crop_height = min(height, round(width / ALIGNED_ASPECT))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


def _check_shape(image: Image.Image, name: str) -> None:
    width, height = image.size
    # The WebP decoder holds the picture twice as often as the others do.
    most = MAX_PIXELS // 2 if image.format == "WEBP" else MAX_PIXELS
    if width * height > most:
        raise FairsalError(f"{name} has {width} x {height} pixels; the most is {most // 10**6} million.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise FairsalError(f"{name} is {width} x {height} pixels: too narrow for a portrait.")
    # Phones append a preview or a gain map to a JPEG (format MPO): more than one frame, and yet a single picture.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise FairsalError(f"{name} is an animation; a single picture is needed.")


def _shrunk(image: Image.Image) -> Image.Image:
    """Return a large image scaled down by a whole factor to some 2,000 pixels a side, others as they are."""
    factor = max(image.size) // _LARGE_SIDE
    if factor < 2:
        return image
    image.draft(None, (image.width // factor, image.height // factor))  # a JPEG is decoded small to begin with
    image.load()
    if image.mode.startswith("I"):
        image = _to_eight_bits(image)
    elif image.mode in ("P", "PA", "1"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
        image.info.pop("transparency", None)
    factor = max(image.size) // _LARGE_SIDE
    return image.reduce(factor) if factor > 1 else image


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8, where Pillow's own conversion would clip."""
    deep = np.asarray(image)
    flat = np.empty(deep.shape, dtype=np.uint8)
    for start in range(0, len(deep), 256):  # in bands, since the quotients are eight times as large
        flat[start : start + 256] = (deep[start : start + 256] / 257.0).round().clip(0, 255)
    eight = Image.fromarray(flat)
    eight.info = image.info
    return eight


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = _to_eight_bits(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".").splitlines()[0][:120] if str(error) else type(error).__name__
