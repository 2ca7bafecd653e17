"""The head: its pose and its shape, which the features follow, ears and skin."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.colours import Colour, mix, shade
from fairsal_core.drawing.cues import cue
from fairsal_core.drawing.geometry import Frame, Points, closed_curve, flipped, mirrored, moved, open_curve, within
from fairsal_core.drawing.streams import Streams


@dataclass(frozen=True)
class Head:
    """What several parts of a face need to know of one another."""

    frame: Frame
    body_frame: Frame
    yaw: float
    skin: Colour
    cheek: float
    jaw: float
    chin: float
    chin_y: float
    neck: float
    ink: Colour

    @property
    def outline(self) -> Points:
        lean = 2.5 * self.yaw
        right = [
            (0, -56),
            (23, -51),
            (self.cheek - 4, -27),
            (self.cheek, -2),
            (self.cheek - 1.5, 18),
            (self.jaw, 39),
            (self.chin, self.chin_y - 6),
            (0, self.chin_y),
        ]
        points = mirrored(right)
        # Turning the head moves the lower face sideways more than the skull.
        points[:, 0] += lean * np.clip((points[:, 1] + 20) / 60, 0, 1)
        return closed_curve(points)

    def across(self, depth: float) -> float:
        """Return how far a feature that stands out by `depth` moves sideways."""
        return self.yaw * depth


def head_of(streams: Streams, labels: Mapping[str, bool]) -> Head:
    """Return the head of a face: its pose, its skin, and what of its shape depends on `Male`."""
    rng, male = streams("head"), labels["Male"]
    scale, angle = rng.gauss(0.97, 0.03), math.radians(within(rng.gauss(0, 4.5), -11, 11))
    x, y = rng.gauss(0, 2.2), rng.gauss(0, 2.2)
    jaw = cue(streams("jaw"), "jaw", male)
    skin = _skin_tone(rng)
    cheek = rng.gauss(43.5, 1.6)
    return Head(
        frame=Frame(scale, angle, (x, y)),
        body_frame=Frame(scale, 0.3 * angle, (0.6 * x + rng.gauss(0, 1.5), 0.5 * y)),
        yaw=within(rng.gauss(0, 0.5), -1.1, 1.1),
        skin=skin,
        cheek=cheek,
        jaw=min(32.0 + 2.5 * jaw, cheek - 0.5),
        chin=within(13.5 + 2.4 * jaw, 7, 22),
        chin_y=rng.gauss(61.5, 1.6) + 0.7 * jaw,
        neck=22.5 + 1.7 * cue(streams("neck"), "neck", male),
        ink=shade(mix(skin, (70, 25, 25), 0.45), 0.5),
    )


_SKIN_TONES: tuple[Colour, ...] = (
    (250, 219, 196),
    (241, 200, 170),
    (229, 180, 143),
    (208, 154, 114),
    (180, 125, 86),
    (146, 97, 65),
    (110, 72, 50),
)


def _skin_tone(rng: random.Random) -> Colour:
    at = rng.uniform(0, len(_SKIN_TONES) - 1)
    lower = int(at)
    return mix(_SKIN_TONES[lower], _SKIN_TONES[min(lower + 1, len(_SKIN_TONES) - 1)], at - lower)


def draw_head(canvas: Canvas, head: Head, rng: random.Random) -> None:
    """Draw the ears and, over them, the face without its features."""
    size, drop = rng.gauss(1.0, 0.1), rng.gauss(7, 1.5)
    for side, part in ((1, "l_ear"), (-1, "r_ear")):
        # The ear on the side the head turns to hides behind the cheek.
        x = head.cheek + 3.2 - 3.0 * max(side * head.yaw, 0)
        ear = np.array([(-4, -11), (4, -12), (6.5, -5), (4, 6), (0, 12), (-5, 8)]) * size
        canvas.fill(flipped(closed_curve(moved(ear, x, drop)), side), shade(head.skin, 0.94), part)
        canvas.stroke(
            flipped(open_curve(moved(np.array([(1, -8), (4, -4), (1, 4)]) * size, x, drop)), side),
            shade(head.skin, 0.7),
            1.2,
        )
    canvas.fill(head.outline, head.skin, "skin")
