"""From an image file of any origin to the square RGB array everything else works on, without trusting the file."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fairsal_core.errors import FairsalError

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 1024 * 1024
# A small PNG can hold an image whose pixels fill the memory, so the size is checked before anything is decoded.
MAX_PIXELS = 40_000_000
MAX_ASPECT = 4.0
# CelebA's aligned images; squeezing the whole frame keeps neckties and hats in the picture.
ALIGNED_ASPECT = 178 / 218


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
    size = len(source) if isinstance(source, bytes) else source.stat().st_size if source.is_file() else 0
    if size > MAX_BYTES:
        raise FairsalError(f"{name} has {size / 2**20:.0f} MB; the most is {MAX_BYTES // 2**20} MB.")
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            _check_shape(image, name)
            return _to_rgb(ImageOps.exif_transpose(image))
    except FairsalError:
        raise
    except UnidentifiedImageError:
        raise FairsalError(f"{name} is not a PNG, JPEG or WebP image.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FairsalError(f"{name} has too many pixels; the most is {MAX_PIXELS // 10**6} million.") from None
    except Exception as error:  # a damaged file makes Pillow raise anything, struct.error and TypeError among them
        raise FairsalError(
            f"{name} does not decode ({_reason(error)}); the file may be cut short or damaged."
        ) from error


def to_square(image: Image.Image, size: int = 128) -> NDArray[np.uint8]:
    """Scale an image to (size, size, 3) uint8; a shape other than CelebA's 178x218 frame is centre-cropped to it first."""
    width, height = image.size
    if abs(width / height / ALIGNED_ASPECT - 1) > 0.02:
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
    if width * height > MAX_PIXELS:
        raise FairsalError(f"{name} has {width} x {height} pixels; the most is {MAX_PIXELS // 10**6} million.")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise FairsalError(f"{name} is {width} x {height} pixels: too narrow for a portrait.")
    # Phones append a preview or a gain map to a JPEG (format MPO): more than one frame, and yet a single picture.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise FairsalError(f"{name} is an animation; a single picture is needed.")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit greyscale: Pillow's own conversion would clip instead of scale.
        scaled = np.asarray(image, dtype=np.float64) / 257.0
        image = Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    return str(error).rstrip(".").splitlines()[0][:120] if str(error) else type(error).__name__
