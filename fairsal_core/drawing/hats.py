"""Hats: knitted, with a visor, with a brim."""

import random
from collections.abc import Callable

import numpy as np

from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.colours import Colour, any_colour, shade
from fairsal_core.drawing.geometry import Points, closed_curve, ellipse, open_curve


def draw_hat(canvas: Canvas, rng: random.Random) -> None:
    """Draw one of the hats; hair still shows below it."""
    colour, trim = (any_colour(rng, (0.05, 0.7), (0.15, 0.9)) for _ in range(2))
    rng.choice(_HATS)(canvas, colour, trim, rng)


def _dome(half: float, top: float, bottom: float) -> Points:
    """Return the outline of a round crown, `half` its width to either side."""
    middle = top + 0.45 * (bottom - top)
    right = [(0, top), (0.55 * half, top + 4), (0.93 * half, middle), (half, bottom)]
    curve = open_curve([*[(-x, y) for x, y in right[:0:-1]], *right])
    return np.concatenate([curve, [(half, bottom + 1), (-half, bottom + 1)]])


def _beanie(canvas: Canvas, colour: Colour, trim: Colour, rng: random.Random) -> None:
    half, top = rng.uniform(53, 57), rng.uniform(-98, -86)
    if rng.random() < 0.5:
        canvas.fill(ellipse(0, top - 3, 9, 8), trim, "hat")
    canvas.fill(_dome(half, top, -38), colour, "hat")
    for x in np.linspace(-0.75, 0.75, 7):
        canvas.stroke(
            open_curve([(x * half * 0.55, top + 7 + 8 * abs(x)), (x * half * 0.95, -65), (x * half, -48)]),
            shade(colour, 0.8),
            1.3,
        )
    fold = [(-half - 2, -55), (0, -62), (half + 2, -55), (half + 2, -37), (0, -43), (-half - 2, -37)]
    canvas.fill(closed_curve(fold), shade(trim if rng.random() < 0.5 else colour, 0.9), "hat")


def _cap(canvas: Canvas, colour: Colour, trim: Colour, rng: random.Random) -> None:
    half, top, lean = rng.uniform(52, 55), rng.uniform(-94, -84), rng.uniform(-10, 10)
    canvas.fill(_dome(half, top, -46), colour, "hat")
    for x in (-0.5, 0.5):
        canvas.stroke(
            open_curve([(0, top), (x * half * 0.9, top + 16), (x * half * 1.2, -52)]), shade(colour, 0.8), 1.1, "hat"
        )
    if rng.random() < 0.6:
        canvas.fill(ellipse(0, top + 22, 10, 8), trim)
    canvas.fill(ellipse(0, top, 3, 2), shade(colour, 0.75), "hat")
    visor = [
        (-half + 2, -49),
        (-30, -56),
        (0, -58),
        (30, -56),
        (half - 2, -49),
        (38 + lean, -37),
        (lean, -33),
        (-38 + lean, -37),
    ]
    canvas.fill(closed_curve(visor), shade(trim if rng.random() < 0.4 else colour, 0.72), "hat")
    canvas.stroke(open_curve([(-half + 5, -49), (0, -56), (half - 5, -49)]), shade(colour, 0.55), 1.4)


def _brim(canvas: Canvas, colour: Colour, trim: Colour, rng: random.Random) -> None:
    half, top, reach = rng.uniform(42, 48), rng.uniform(-100, -90), rng.uniform(66, 78)
    crown = [
        (-half, -46),
        (-half + 3, -75),
        (-half * 0.7, top + 3),
        (-8, top),
        (0, top + 4),
        (8, top),
        (half * 0.7, top + 3),
        (half - 3, -75),
        (half, -46),
    ]
    droop = rng.uniform(-3, 6)
    canvas.fill(
        closed_curve([(-reach, -48 + droop), (0, -57), (reach, -48 + droop), (0, -34)]), shade(colour, 0.7), "hat"
    )
    canvas.fill(open_curve(crown), colour, "hat")
    band = [(-half, -58), (0, -51), (half, -58), (half + 1, -45), (0, -39), (-half - 1, -45)]
    canvas.fill(np.concatenate([open_curve(band[:3]), open_curve(band[3:])]), trim, "hat")
    rim = [
        (-reach, -49 + droop),
        (-half, -46),
        (0, -40),
        (half, -46),
        (reach, -49 + droop),
        (40, -36),
        (0, -32),
        (-40, -36),
    ]
    canvas.fill(closed_curve(rim), shade(colour, 0.88), "hat")


_HATS: tuple[Callable[[Canvas, Colour, Colour, random.Random], None], ...] = (_beanie, _cap, _brim)
