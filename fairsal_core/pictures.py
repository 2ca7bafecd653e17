"""Arrays to pictures: colour maps that are perceptually uniform and safe for colour-blind readers."""

import base64
import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOUR_MAP = "Cividis"
_STRIPES, _DARK, _BRIGHT = 8, 92, 116  # pixels from stripe to stripe, and their two greys


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.uint8]:
    from plotly.colors import sample_colorscale  # plotly takes a while to import

    samples = sample_colorscale(COLOUR_MAP, np.linspace(0, 1, 256).tolist(), colortype="tuple")
    return np.asarray((np.array(samples) * 255).round(), dtype=np.uint8)


def colour_map(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return values (H, W) in [0, 1] as colours (H, W, 3) uint8."""
    return np.asarray(_colours()[(np.clip(values, 0, 1) * 255).astype(np.uint8)])


def colour_bar() -> NDArray[np.uint8]:
    """Return the scale from 0 to 1 as a strip (8, 256, 3)."""
    return np.repeat(_colours()[None], 8, axis=0)


def data_url(pixels: NDArray[np.uint8]) -> str:
    """Return pixels as a PNG that a web page can show without a request."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)  # a third of the time for a little more to send
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def photo_url(pixels: NDArray[np.uint8]) -> str:
    """Return a face (128, 128, 3) in the shape it had before packing, as a small JPEG without a request."""
    buffer = io.BytesIO()
    portrait(pixels).resize((178, 218), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def portrait(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return a square face (128, 128, 3) in the shape it had before packing, 178:218, for showing."""
    return Image.fromarray(pixels).resize((356, 436), Image.Resampling.BICUBIC)


def to_bytes(images: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return images in [0, 1] as uint8."""
    return np.asarray((np.clip(images, 0, 1) * 255).round(), dtype=np.uint8)


@lru_cache(maxsize=1)
def _diverging() -> NDArray[np.uint8]:
    from plotly.colors import sample_colorscale

    # Red and blue ends are told apart by colour-blind readers; white is zero.
    samples = sample_colorscale("RdBu_r", np.linspace(0, 1, 255).tolist(), colortype="tuple")
    return np.asarray((np.array(samples) * 255).round(), dtype=np.uint8)


def diverging_map(values: NDArray[np.floating], limit: float) -> NDArray[np.uint8]:
    """Return signed values (H, W) as colours (H, W, 3) uint8: blue at -limit, white at 0, red at +limit."""
    places = np.clip(values / limit if limit else np.zeros_like(values), -1, 1) * 127 + 127
    return np.asarray(_diverging()[places.round().astype(np.uint8)])


def diverging_bar() -> NDArray[np.uint8]:
    """Return the diverging scale as a strip (8, 255, 3)."""
    return np.repeat(_diverging()[None], 8, axis=0)


def over_face(colours: NDArray[np.uint8], face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay colours (H, W, 3) over a pale grey print of a face (H, W, 3): hue and depth stay, the face shows through."""
    grey = face.mean(axis=2, keepdims=True) / 255
    return np.asarray((colours * (0.72 + 0.28 * grey)).round(), dtype=np.uint8)


def outline_path(mask: NDArray[np.bool_]) -> str:
    """Return the border of a mask (H, W) as an SVG path in pixels: every side between a pixel inside and one outside."""
    padded = np.pad(mask, 1)
    down, right = padded[1:, 1:-1] != padded[:-1, 1:-1], padded[1:-1, 1:] != padded[1:-1, :-1]
    level = [f"M{x} {y}h1" for y, x in zip(*np.nonzero(down), strict=True)]
    upright = [f"M{x} {y}v1" for y, x in zip(*np.nonzero(right), strict=True)]
    return "".join(level + upright)


def with_filling_marked(face: NDArray[np.uint8], outside: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """Return a copy of a face (H, W, 3) on which what is not from the photo is striped grey."""
    if outside is None:
        return face
    down, across = np.indices(outside.shape)
    stripes = np.where((down + across) % _STRIPES < _STRIPES // 2, _DARK, _BRIGHT).astype(np.uint8)
    return np.where(outside[..., None], stripes[..., None], face)
