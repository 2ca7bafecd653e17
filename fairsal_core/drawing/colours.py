"""Colours: made, mixed and shaded."""

import colorsys
import random

from fairsal_core.drawing.geometry import within

Colour = tuple[int, int, int]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return a colour by hue (round the circle from 0 to 1), saturation and value; beyond 0 and 1 is clipped."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, within(saturation, 0, 1), within(value, 0, 1))
    return round(255 * red), round(255 * green), round(255 * blue)


def any_colour(rng: random.Random, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """Return a colour of any hue within these ranges.

    A third of all is straw, sand or gold, so that yellow in a picture is not by itself blond hair.
    """
    hue = rng.uniform(0.08, 0.15) if rng.random() < 0.33 else rng.random()
    return hsv(hue, rng.uniform(*saturation), rng.uniform(*value))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour `share` of the way from the first to the second; beyond 0 and 1 is clipped."""
    share = within(share, 0, 1)
    keep = 1 - share
    return (
        round(first[0] * keep + second[0] * share),
        round(first[1] * keep + second[1] * share),
        round(first[2] * keep + second[2] * share),
    )


def shade(colour: Colour, factor: float) -> Colour:
    """Return the colour darker (factor below 1) or lighter (above)."""
    return mix(colour, (0, 0, 0), 1 - factor) if factor < 1 else mix(colour, (255, 255, 255), factor - 1)
