"""Neck and clothes."""

import random
from collections.abc import Callable

import numpy as np

from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.colours import Colour, any_colour, mix, shade
from fairsal_core.drawing.geometry import closed_curve, ellipse, flipped, mirrored, moved, open_curve
from fairsal_core.drawing.head import Head


def draw_clothes(canvas: Canvas, head: Head, rng: random.Random) -> None:
    """Draw neck and clothes. What is worn does not depend on any label: every garment has a collar a tie could be in."""
    neck, width = head.neck, rng.uniform(66, 84)
    garment, inner = (any_colour(rng, (0.05, 0.6), (0.15, 0.92)) for _ in range(2))
    slope = rng.uniform(78, 84)
    shoulders = mirrored([(0, 68), (neck, 68), (neck + 14, slope - 4), (width, slope + 8), (width + 16, 125), (0, 125)])
    canvas.fill(closed_curve(shoulders), garment, "cloth")
    _draw_cloth_pattern(canvas, garment, rng)
    canvas.fill(
        closed_curve(mirrored([(0, 34), (neck, 36), (neck - 1, 58), (neck + 2, 74), (0, 88)])), head.skin, "neck"
    )
    chin_shadow = mirrored([(0, 44), (neck - 1, 44), (neck - 2, 62), (0, 72)])
    canvas.fill(closed_curve(chin_shadow), shade(head.skin, 0.72), alpha=0.6)
    rng.choice(_FRONTS)(canvas, neck, garment, inner, rng)


def _draw_cloth_pattern(canvas: Canvas, garment: Colour, rng: random.Random) -> None:
    kind, mark = rng.randrange(4), shade(garment, rng.choice([0.8, 1.25]))
    step = rng.uniform(6, 12)
    if kind == 1:
        for x in np.arange(-84, 86, step):
            top = 76 + 0.17 * abs(x)
            canvas.stroke(np.array([(x * 0.85, top + 3), (x, 110)]), mark, 1.2)
    if kind == 2:
        for y in np.arange(90, 112, step):
            canvas.stroke(np.array([(-70, y + 4), (0, y), (70, y + 4)]), mark, 1.6)


def _draw_collar(canvas: Canvas, neck: float, colour: Colour, spread: float) -> None:
    for side in (-1, 1):
        wing = np.array([(neck + 2, 63), (neck + 4.5, 74), (spread + 7, 92), (spread - 7, 80)])
        canvas.fill(flipped(wing, side), shade(colour, 0.82 if side > 0 else 0.9), "cloth")
        canvas.fill(flipped(moved(wing, -0.6, -1.2), side), shade(colour, 1.12), "cloth")


def _draw_placket(canvas: Canvas, colour: Colour, rng: random.Random) -> None:
    """Draw what sits where a tie would hang: a front edge with buttons, often in a colour of its own."""
    if rng.random() < 0.45:
        band = any_colour(rng, (0.2, 0.8), (0.2, 0.9))
        half = rng.uniform(3, 8)
        canvas.fill(np.array([(-half, 82), (half, 82), (half, 125), (-half, 125)]), band, "cloth")
    canvas.stroke(np.array([(3.0, 82), (3.0, 125)]), shade(colour, 0.7), 0.8)
    for y in (88, 98, 108):
        canvas.fill(ellipse(0, y, 1.6, 1.6), shade(colour, 0.6), "cloth")


def _shirt(canvas: Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    _draw_placket(canvas, garment, rng)
    opening = np.array([(-neck + 4, 74), (neck - 4, 74), (0, 76 + rng.uniform(3, 10))])
    canvas.fill(opening, shade(garment, 0.65), "cloth")
    _draw_collar(canvas, neck, garment, rng.uniform(9, 14))


def _jacket(canvas: Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    shirt = mix(inner, (250, 250, 250), 0.5)
    canvas.fill(np.array([(-neck - 6, 68), (neck + 6, 68), (13, 125), (-13, 125)]), shirt, "cloth")
    _draw_placket(canvas, shirt, rng)
    _draw_collar(canvas, neck, shirt, rng.uniform(9, 14))
    reach = rng.uniform(30, 38)
    for side in (-1, 1):
        lapel = np.array([(neck + 4, 69), (reach, 84), (reach - 6, 90), (reach - 3, 94), (12, 125), (9, 118)])
        canvas.fill(flipped(lapel, side), shade(garment, 0.78), "cloth")
        canvas.fill(flipped(moved(lapel, 0, -1.5), side), shade(garment, 1.08), "cloth")


def _pullover(canvas: Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    deep = rng.uniform(96, 112)
    edge = np.array([(-neck - 5, 67), (neck + 5, 67), (0, deep + 5)])
    canvas.fill(edge, shade(garment, 0.75), "cloth")
    canvas.fill(moved(edge * (0.86, 1), 0, -5), inner, "cloth")
    _draw_collar(canvas, neck, inner, rng.uniform(9, 14))


def _scarf(canvas: Canvas, neck: float, garment: Colour, inner: Colour, rng: random.Random) -> None:
    ends = rng.uniform(-14, 14)
    canvas.fill(
        np.array([(ends - 8, 80), (ends + 8, 80), (ends + 10, 125), (ends - 10, 125)]), shade(inner, 0.9), "cloth"
    )
    canvas.stroke(np.array([(ends, 84), (ends + 1, 125)]), shade(inner, 0.7), 1.2)
    wrap = [(0, 69), (neck + 1, 64), (neck + 8, 70), (neck + 4, 80), (0, 89)]
    canvas.fill(closed_curve(mirrored(wrap)), inner, "cloth")
    for drop in (74, 80):
        canvas.stroke(open_curve([(-neck - 3, drop - 5), (0, drop + 3), (neck + 3, drop - 5)]), shade(inner, 0.75), 1.0)


_FRONTS: tuple[Callable[[Canvas, float, Colour, Colour, random.Random], None], ...] = (
    _shirt,
    _jacket,
    _pullover,
    _scarf,
)
