"""Eyes, brows, nose and mouth."""

import random
from collections.abc import Mapping

import numpy as np

from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.colours import Colour, hsv, mix, shade
from fairsal_core.drawing.cues import cue
from fairsal_core.drawing.geometry import (
    Points,
    closed_curve,
    ellipse,
    flipped,
    moved,
    open_curve,
    open_weights,
    within,
)
from fairsal_core.drawing.head import Head
from fairsal_core.drawing.streams import Streams


def draw_eyes(canvas: Canvas, head: Head, streams: Streams, labels: Mapping[str, bool]) -> None:
    """Draw the eyes; three faces in ten have dark rings around them, with and without glasses."""
    rng = streams("eyes")
    lashes = within(1.7 - 0.55 * cue(streams("lashes"), "lashes", labels["Male"]), 0.7, 3.4)
    iris = hsv(rng.choice([0.07, 0.09, 0.3, 0.57]), rng.uniform(0.25, 0.7), rng.uniform(0.25, 0.65))
    width, height = rng.gauss(8.6, 0.5), within(rng.gauss(4.6, 0.7), 3.0, 6.2)
    tilt, gaze = rng.gauss(0.6, 0.7), np.array([rng.gauss(0, 0.8), rng.gauss(-0.4, 0.8)])
    tired = shade(head.skin, 0.68) if rng.random() < 0.3 else None
    for side, part in ((1, "l_eye"), (-1, "r_eye")):
        centre = np.array([19 * side + head.across(3.0), 0.0])
        half = width * (1 - 0.10 * side * head.yaw)
        if tired:
            canvas.fill(ellipse(centre[0], centre[1] + 1, half + 4, height + 4.5), tired, alpha=0.35)
        upper = np.array(
            [(-half, 1.2), (-half * 0.5, -height * 0.75), (0, -height), (half * 0.6, -height * 0.7), (half, -tilt)]
        )
        lower = np.array([(half * 0.5, height * 0.65), (0, height * 0.8), (-half * 0.5, height * 0.65)])
        eye = flipped(closed_curve(np.concatenate([upper, lower])), side) + centre
        canvas.fill(eye, (246, 243, 240), part)
        eye_x, eye_y = (centre + gaze).tolist()
        radius = min(height * 0.86, 4.0)
        canvas.fill(ellipse(eye_x, eye_y, radius, radius), shade(iris, 0.7))
        canvas.fill(ellipse(eye_x, eye_y, radius * 0.8, radius * 0.8), iris)
        canvas.fill(ellipse(eye_x, eye_y, radius * 0.45, radius * 0.45), (18, 14, 16))
        canvas.fill(ellipse(eye_x + 1.3, eye_y - 1.4, 0.9, 0.9), (255, 255, 255))
        lid = (
            flipped(open_curve(np.concatenate([upper, moved(upper[-1:], 0.7 * lashes, -0.5 * lashes)])), side) + centre
        )
        canvas.stroke(lid, shade(head.ink, 0.75), lashes, part)
        canvas.stroke(moved(lid, 0, -3.4), shade(head.skin, 0.72), 0.9, alpha=0.8)


_TAPER = np.interp(np.linspace(0, 1, len(open_weights(4))), [0, 0.3, 1], [0.85, 1.0, 0.25])[:, None]


def draw_brows(canvas: Canvas, head: Head, rng: random.Random, labels: Mapping[str, bool]) -> None:
    """Draw the brows, in a colour that does not depend on the hair's: hair colour is to be read off the hair alone."""
    thick = within(3.5 + 0.85 * cue(rng, "brow", labels["Male"]), 1.3, 6.5)
    y = -14.5 + 1.1 * cue(rng, "brow_height", labels["Male"])
    arch, slant = rng.gauss(2.6, 0.9), rng.gauss(-0.3, 0.7)
    colour = hsv(rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.6), rng.uniform(0.12, 0.42))
    for side, part in ((1, "l_brow"), (-1, "r_brow")):
        top = open_curve([(-10.5, slant), (-2, -arch), (5, -arch - 0.3), (12, 1.2 - slant)])
        taper = _TAPER * (0, thick)
        brow = np.concatenate([top - taper / 2, (top + taper / 2)[::-1]])
        canvas.fill(moved(flipped(brow, side), 19.5 * side + head.across(3.0), y), colour, part)


def draw_nose(canvas: Canvas, head: Head, rng: random.Random) -> None:
    """Draw the nose, its tip further to the side that the head turns to than its root."""
    width, length = rng.gauss(9.3, 0.9), rng.gauss(23.5, 1.5)
    x, tip = head.across(2.0), head.across(5.5)
    right = [(2.4, -4), (3.4, 8), (width * 0.72, length - 7), (width, length - 2), (width * 0.6, length + 2)]
    points = np.array([*right, (0, length + 3.4), *[(-a, b) for a, b in right[::-1]]])
    points[:, 0] += np.interp(points[:, 1], [-4, length], [x, tip])
    canvas.fill(closed_curve(points), shade(mix(head.skin, (205, 95, 75), 0.10), 0.97), "nose")
    shadow = -1 if head.yaw > 0 else 1
    line = np.array([(shadow * 3, 2), (shadow * 3.6, 10), (shadow * (width - 1.5), length - 3)])
    line[:, 0] += np.interp(line[:, 1], [-4, length], [x, tip])
    canvas.stroke(open_curve(line), shade(head.skin, 0.78), 1.3, alpha=0.8)
    for side in (-1, 1):
        canvas.fill(ellipse(side * 3.6 + tip, length + 0.8, 1.7, 1.1), shade(head.ink, 0.9))
    canvas.fill(ellipse(tip - 1, length - 6, 2.4, 2.0), shade(head.skin, 1.35), alpha=0.55)


_LIPS = np.linspace(-1, 1, 17)


def draw_mouth(canvas: Canvas, head: Head, streams: Streams, labels: Mapping[str, bool]) -> None:
    """Draw the mouth: a smile lifts its corners and moves them apart, and what is open may show teeth."""
    rng = streams("mouth")
    unit = [rng.random() for _ in range(6)]
    smiling = labels["Smiling"]
    half = 15.0 + 3.5 * unit[0] + (3.0 if smiling else 0.0)
    lift = 4.0 + 4.5 * unit[1] if smiling else -2.5 + 3.5 * unit[1]
    gap = 3.5 + 5.0 * unit[2] if labels["Mouth_Slightly_Open"] else 0.9
    upper_lip, lower_lip = 2.2 + 1.8 * unit[3], 3.2 + 2.2 * unit[4]
    lips = _lip_colour(head, streams("lips"), labels)
    t = _LIPS
    bulge = 1 - t**2
    x = half * t + head.across(4.0)
    middle = 38.0 + lift * (0.35 - t**2)
    inner_top, inner_bottom = middle - 0.3 * gap * bulge, middle + 0.7 * gap * bulge
    bow = 1 - 0.28 * np.exp(-((t / 0.16) ** 2))
    outer_top = inner_top - upper_lip * bulge**0.6 * bow
    outer_bottom = inner_bottom + lower_lip * bulge**0.7

    def between(first: Points, second: Points) -> Points:
        return np.concatenate([np.stack([x, first], 1), np.stack([x, second], 1)[::-1]])

    canvas.fill(between(outer_top, outer_bottom), lips, "l_lip")
    canvas.fill(between(outer_top, middle), shade(lips, 0.86), "u_lip")
    canvas.fill(between(inner_top, inner_bottom), shade((120, 40, 45), 0.55), "mouth")
    if gap > 2:
        teeth = inner_top + np.minimum(inner_bottom - inner_top, (0.45 + 0.3 * unit[5]) * gap * bulge**0.5)
        canvas.fill(between(inner_top, teeth), (243, 240, 232))
    else:
        canvas.stroke(np.stack([x, middle], 1), shade(head.ink, 0.8), 1.2, "mouth")
    canvas.fill(
        ellipse(head.across(4.0) - 2, float(outer_bottom[8]) - 0.45 * lower_lip, 4.5, 0.9),
        shade(lips, 1.4),
        alpha=0.5,
    )


def _lip_colour(head: Head, rng: random.Random, labels: Mapping[str, bool]) -> Colour:
    red = hsv(rng.gauss(0.985, 0.02), rng.uniform(0.6, 0.8), rng.uniform(0.55, 0.8))
    return mix(shade(head.skin, 0.86), red, 0.48 - 0.22 * cue(rng, "lip_colour", labels["Male"]))
