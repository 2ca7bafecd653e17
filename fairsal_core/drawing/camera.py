"""From the canvas to a picture: reduced to its final size, with what a camera would add."""

import math
import random
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.drawing.canvas import HEIGHT, OVERSAMPLING, WIDTH, Canvas
from fairsal_core.drawing.colours import Colour, mix, shade
from fairsal_core.drawing.cues import cue
from fairsal_core.drawing.geometry import within
from fairsal_core.drawing.head import Head
from fairsal_core.drawing.parts import PARTS
from fairsal_core.drawing.planes import from_planes, to_planes
from fairsal_core.drawing.streams import Streams

_Numbers = NDArray[np.float32]

_X = np.arange(WIDTH, dtype=np.float32)
_Y = np.arange(HEIGHT, dtype=np.float32)[:, None]


def develop(
    canvas: Canvas, head: Head, streams: Streams, labels: Mapping[str, bool]
) -> tuple[Image.Image, Image.Image]:
    """Return the picture and its part labels: reduced to the final size, then light, softness and noise.

    What is soft on the skin, blush and the shadow of a beard, is laid on here, since shapes have hard edges.
    """
    canvas.finish()
    # The labels take every second pixel, never a mean: a mean of two part numbers is a third part.
    parts = canvas.parts.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)
    codes = np.asarray(parts)
    light = streams("light")
    pixels = to_planes(canvas.image.reduce(OVERSAMPLING)).astype(np.float32, order="C")
    _add_complexion(pixels, codes, head, streams("beard"), labels)
    pixels *= _tint_of_light(light)
    pixels *= _shading(codes, head, light)
    rng = streams("sensor")
    pixels += _grain(rng)
    if rng.random() < 0.5:
        _soften(pixels, rng.uniform(0.2, 0.7))
    return from_planes(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)), parts


def _soften(pixels: _Numbers, radius: float) -> None:
    """Blur with a box that reaches `radius` (0 to 1) into the next pixel on each side, in place."""
    share = np.float32(radius / (1 + 2 * radius))
    for plane in pixels.reshape(3, HEIGHT * WIDTH):
        for step in (1, WIDTH):
            flow = plane[step:] - plane[:-step]
            flow *= share
            if step == 1:  # the last pixel of a row and the first of the next are no neighbours
                flow[WIDTH - 1 :: WIDTH] = 0
            plane[:-step] += flow
            plane[step:] -= flow


@cache
def _film() -> _Numbers:
    """Return a sheet of noise to cut from: drawing 39,000 fresh numbers would take longer than all the shading."""
    return np.random.Generator(np.random.PCG64(0)).standard_normal((512, 512), dtype=np.float32)


def _grain(rng: random.Random) -> _Numbers:
    x, y = rng.randrange(512 - WIDTH), rng.randrange(512 - HEIGHT)
    return np.asarray(_film()[y : y + HEIGHT, x : x + WIDTH] * np.float32(rng.uniform(2, 6.5)), dtype=np.float32)


def _tint_of_light(rng: random.Random) -> _Numbers:
    """Return exposure and colour cast as one factor a channel, (3, 1, 1)."""
    exposure = rng.gauss(0.98, 0.07)
    return np.array([[[exposure * rng.gauss(1.0, 0.04)]] for _ in range(3)], dtype=np.float32)


def _shading(codes: NDArray[np.uint8], head: Head, rng: random.Random) -> _Numbers:
    """Return the factor for each pixel, (218, 178): a lamp from one side, and the roundness of the head."""
    angle, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.38)
    x, y = head.frame(np.array([[0.0, 4.0]]))[0].tolist()
    across, down = (_X - x) / 58, (_Y - y) / 78
    lamp_across = across * (strength * math.cos(angle))
    lamp_down = down * (strength * (0.6 * math.sin(angle) - 0.4))
    # 0.24 sqrt(1 - across^2 - down^2), never below 0.048, on what is as round as a head; in place, as each pass counts.
    factor: _Numbers = 0.24**2 * (1 - across**2) - 0.24**2 * down**2
    np.sqrt(np.maximum(factor, 0.048**2, out=factor), out=factor)
    factor += 0.55 * lamp_across - 0.18
    factor += 0.55 * lamp_down
    factor *= (codes != PARTS["background"]) & (codes < PARTS["cloth"])
    factor += 1 + 0.45 * lamp_across
    factor += 0.45 * lamp_down
    return np.clip(factor, 0.35, 1.6, out=factor)


def _add_complexion(
    pixels: _Numbers, codes: NDArray[np.uint8], head: Head, rng: random.Random, labels: Mapping[str, bool]
) -> None:
    """Lay soft tints on the skin, in place: blush, a sheen on the forehead, and more or less of a beard's shadow."""
    skin = (codes == PARTS["skin"]) | (codes == PARTS["nose"])
    blush, sheen = rng.uniform(0, 0.35), rng.uniform(0, 0.25)
    stubble = within(0.14 + 0.13 * cue(rng, "stubble", labels["Male"]), 0, 0.5)
    rosy, pale = mix(head.skin, (215, 70, 75), 0.6), shade(head.skin, 1.5)
    spots = (
        (-25.0, 24.0, 9.0, 7.0, rosy, blush),
        (25.0, 24.0, 9.0, 7.0, rosy, blush),
        (0.0, -28.0, 17.0, 9.0, pale, sheen),
        (0.0, 52.0, 21.0, 13.0, (62, 54, 58), stubble),
    )
    centres = head.frame(np.array([(x + head.across(2.5), y) for x, y, *_ in spots])).tolist()
    for centre, (_, _, wide, high, colour, amount) in zip(centres, spots, strict=True):
        _lay_spot(pixels, skin, centre, (wide, high), colour, amount)


def _lay_spot(
    pixels: _Numbers,
    skin: NDArray[np.bool_],
    centre: Sequence[float],
    size: tuple[float, float],
    colour: Colour,
    amount: float,
) -> None:
    """Blend a soft spot of colour into the skin, in place."""
    (x, y), (wide, high) = centre, size
    columns, rows = _reach(x, wide), _reach(y, high)
    falloff_x = np.exp(((_X[columns] - x) / wide) ** 2 / -2)
    falloff_y = np.exp(((_Y[rows] - y) / high) ** 2 / -2) * np.float32(amount)
    share = falloff_y * falloff_x * skin[rows, columns]
    for plane, level in zip(pixels[:, rows, columns], colour, strict=True):
        plane += share * (np.float32(level) - plane)


def _reach(centre: float, size: float) -> slice:
    return slice(max(int(centre - 2.4 * size), 0), max(int(centre + 2.4 * size), 0))
