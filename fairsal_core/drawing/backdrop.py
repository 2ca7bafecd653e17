"""The room behind a face, out of focus."""

import math
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from fairsal_core.drawing.canvas import HEIGHT, OVERSAMPLING, WIDTH
from fairsal_core.drawing.colours import Colour, any_colour
from fairsal_core.drawing.planes import from_planes, to_planes

_Whole = NDArray[np.uint16]

_ROOM = (45, 55)  # the size it is painted in


def paint_backdrop(rng: random.Random) -> Image.Image:
    """Paint an out-of-focus room: small and coarse, then enlarged, which is a blur that costs nothing."""
    first, second = (any_colour(rng, (0.05, 0.45), (0.3, 0.95)) for _ in range(2))
    small = _gradient(first, second, rng.uniform(0, 2 * math.pi))
    draw = ImageDraw.Draw(small, "RGBA")
    rng.choice(_BACKDROPS)(draw, rng)
    room = _enlarged(small.filter(ImageFilter.BoxBlur(rng.uniform(0.5, 1.5))))
    # The blur is in the first step; the second is undone when the picture is reduced.
    return room.resize((WIDTH * OVERSAMPLING, HEIGHT * OVERSAMPLING), Image.Resampling.NEAREST)


_ROOM_X = np.linspace(-0.5, 0.5, _ROOM[0], dtype=np.float32)
_ROOM_Y = np.linspace(-0.5, 0.5, _ROOM[1], dtype=np.float32)[:, None]


def _gradient(first: Colour, second: Colour, angle: float) -> Image.Image:
    share = _ROOM_X * (255 * math.cos(angle)) + (_ROOM_Y * (255 * math.sin(angle)) + 127.5)
    picture = Image.new("RGB", _ROOM, first)
    picture.paste(second, (0, 0, *_ROOM), Image.fromarray(np.clip(share, 0, 255).astype(np.uint8)))
    return picture


def _between(size: int, new_size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], _Whole]:
    """Return for each new place the two places it lies between and, in 64ths, how near it is to the second."""
    at = np.clip((np.arange(new_size) + 0.5) * size / new_size - 0.5, 0, size - 1)
    lower = np.minimum(at.astype(np.intp), size - 2)
    return lower, lower + 1, np.round(64 * (at - lower)).astype(np.uint16)


_LEFT, _RIGHT, _TO_RIGHT = _between(_ROOM[0], WIDTH)
_ABOVE, _BELOW, _TO_BELOW = _between(_ROOM[1], HEIGHT)


def _enlarged(room: Image.Image) -> Image.Image:
    """Enlarge by bilinear interpolation, in whole numbers: several times faster than Pillow's own."""
    small = to_planes(room).astype(np.uint16)
    wide = (small.take(_LEFT, 2) * (64 - _TO_RIGHT) + small.take(_RIGHT, 2) * _TO_RIGHT) >> 6
    to_below = _TO_BELOW[:, None]
    high = (wide.take(_ABOVE, 1) * (64 - to_below) + wide.take(_BELOW, 1) * to_below) >> 6
    return from_planes(high.astype(np.uint8))


def _tint(rng: random.Random) -> tuple[int, int, int, int]:
    return (*any_colour(rng, (0.1, 0.7), (0.2, 1.0)), rng.randrange(50, 150))


def _plain(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    """Leave the gradient as it is."""


def _lights(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    for _ in range(rng.randrange(4, 12)):
        x, y, radius = rng.uniform(0, 45), rng.uniform(0, 55), rng.uniform(1.5, 7)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_tint(rng))


def _stripes(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    tint, slope, step = _tint(rng), rng.uniform(-20, 20), rng.randrange(6, 16)
    for x in range(-20, 65, step):
        draw.line((x, 0, x + slope, 55), fill=tint, width=rng.randrange(1, 5))


def _frames(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    for _ in range(rng.randrange(1, 5)):
        x, y, width, height = rng.uniform(-5, 40), rng.uniform(-5, 45), rng.uniform(6, 22), rng.uniform(8, 30)
        draw.rectangle((x, y, x + width, y + height), fill=_tint(rng))


def _hills(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    for level in (18, 28, 38):
        ridge = [(x, level + rng.uniform(-7, 7)) for x in (-2, 10, 22, 34, 46)]
        draw.polygon([(-2, 56), *ridge, (47, 56)], fill=_tint(rng))


_BACKDROPS: tuple[Callable[[ImageDraw.ImageDraw, random.Random], None], ...] = (
    _plain,
    _lights,
    _stripes,
    _frames,
    _hills,
)
