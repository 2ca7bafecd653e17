"""Eyeglasses: round to square frames, lenses clear to dark."""

import random

import numpy as np

from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.colours import any_colour, hsv, shade
from fairsal_core.drawing.geometry import CIRCLE, moved, open_curve
from fairsal_core.drawing.head import Head


def draw_glasses(canvas: Canvas, head: Head, rng: random.Random) -> None:
    """Draw arms, lenses and bridge; all of it, glass included, is part `eye_g`."""
    width, height = rng.uniform(13.5, 16.5), rng.uniform(10, 14)
    roundness = rng.choice([2.0, 3.0, 6.0])
    frame = any_colour(rng, (0.2, 0.9), (0.2, 0.8)) if rng.random() < 0.4 else hsv(0.05, 0.3, rng.uniform(0.05, 0.3))
    glass = any_colour(rng, (0.1, 0.6), (0.1, 0.9))
    tint = rng.choice([0.12, 0.3, 0.75])
    rim = rng.uniform(1.3, 2.8)
    powers = np.sign(CIRCLE) * np.abs(CIRCLE) ** (2 / roundness)
    shift = head.across(3.5)
    for side in (-1, 1):
        lens = moved(powers * (width * (1 - 0.07 * side * head.yaw), height), 19.5 * side + shift, 2.0)
        arm = np.array([(19.5 * side + side * width + shift, -3), ((head.cheek + 3) * side, -1)])
        canvas.stroke(arm, shade(frame, 0.85), rim + 0.8, "eye_g")
        canvas.fill(lens, glass, "eye_g", alpha=tint)
        shine = moved(np.array([(-6, 5), (-1, -7), (3, -7), (-2, 5)]) * (1, height / 14), 19.5 * side + shift, 2.0)
        canvas.fill(shine, (255, 255, 255), alpha=0.22)
        canvas.stroke(np.concatenate([lens, lens[:2]]), frame, rim, "eye_g")
    bridge = open_curve([(-20 + width + shift, -1), (shift, -3.5), (20 - width + shift, -1)])
    canvas.stroke(bridge, frame, rim, "eye_g")
