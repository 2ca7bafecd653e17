"""The necktie: plain, striped or dotted."""

import random

import numpy as np

from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.colours import Colour, any_colour, mix, shade
from fairsal_core.drawing.geometry import ellipse


def draw_necktie(canvas: Canvas, rng: random.Random) -> None:
    """Draw blade and knot where every garment has its collar."""
    colour = any_colour(rng, (0.3, 0.95), (0.15, 0.9))
    mark = mix(any_colour(rng, (0.2, 0.9), (0.2, 1.0)), (255, 255, 255), 0.3)
    knot, end = rng.uniform(6.5, 9), rng.uniform(13, 17)
    blade = np.array([(-knot + 2.5, 80), (knot - 2.5, 80), (end, 126), (-end, 126)])
    canvas.fill(blade, colour, "necktie")
    _draw_pattern(canvas, mark, knot, end, rng.randrange(3))
    canvas.fill(np.array([(knot - 2.5, 80), (end, 126), (end - 7, 126), (0.5, 80)]), (0, 0, 0), "necktie", alpha=0.13)
    canvas.fill(np.array([(-knot, 70), (knot, 70), (knot - 2, 82), (-knot + 2, 82)]), shade(colour, 0.85), "necktie")
    canvas.fill(np.array([(-knot, 70), (knot, 70), (knot - 1, 75), (-knot + 1, 75)]), shade(colour, 1.15), "necktie")


def _draw_pattern(canvas: Canvas, mark: Colour, knot: float, end: float, kind: int) -> None:
    def half(y: float) -> float:
        return knot - 2.5 + (end - knot + 2.5) * (y - 80) / 46

    if kind == 1:
        for y in range(84, 120, 7):
            canvas.fill(
                np.array([(-half(y), y), (half(y - 4), y - 4), (half(y - 1), y - 1), (-half(y + 3), y + 3)]), mark
            )
    if kind == 2:
        for row, y in enumerate(range(86, 120, 5)):
            for x in (-0.5, 0.0, 0.5) if row % 2 else (-0.25, 0.25):
                canvas.fill(ellipse(x * 1.3 * half(y), y, 1.1, 1.1), mark)
