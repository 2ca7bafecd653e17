"""Hair: what hangs behind the head, and what lies over it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fairsal_core.drawing.canvas import Canvas
from fairsal_core.drawing.colours import Colour, hsv, shade
from fairsal_core.drawing.cues import cue
from fairsal_core.drawing.geometry import Points, closed_curve, moved, open_curve, open_weights, within
from fairsal_core.drawing.streams import Streams

_DOWN = np.linspace(0, 1, 6)  # from the temple to the ends


@dataclass(frozen=True)
class Hair:
    """What the hair behind the head and the hair over it share."""

    colour: Colour
    length: float
    half_width: float
    top: float
    flare: float
    wave: float
    phase: float
    parting: float
    fringe: float
    bangs: bool
    locks: bool
    strands: int

    def side(self, side: int) -> Points:
        """Return the outer edge from the temple down to the ends, (6, 2)."""
        reach = within((self.length - 10) / 60, 0, 1)
        edge = np.empty((len(_DOWN), 2))
        edge[:, 1] = -26 + (self.length + 26) * _DOWN
        x = self.wave * np.sin(9 * _DOWN + (self.phase + side))
        x += self.half_width + (self.flare * reach) * _DOWN - ((1 - reach) * 6) * _DOWN**2
        edge[:, 0] = side * x
        return edge


def hair_of(streams: Streams, labels: Mapping[str, bool]) -> Hair:
    """Return the hair of a face: the colour its labels say, a length that depends on `Male`, and a style of its own."""
    rng = streams("hair")
    length = 34 - 29 * cue(streams("hair_length"), "hair_length", labels["Male"])
    colour = _hair_colour(rng, labels)
    return Hair(
        colour=colour,
        length=within(length, 4, 108),
        half_width=rng.gauss(50.5, 1.6),
        top=rng.gauss(-71, 2.5),
        flare=rng.uniform(-2, 13),
        wave=rng.choice([0.3, 1.5, 3.2]),
        phase=rng.uniform(0, 6.28),
        parting=rng.uniform(-24, 24),
        fringe=rng.uniform(-1, 1),
        bangs=labels["Bangs"],
        locks=rng.random() < 0.6,
        strands=rng.randrange(11, 17),
    )


def _hair_colour(rng: random.Random, labels: Mapping[str, bool]) -> Colour:
    unit = [rng.random() for _ in range(3)]
    if labels["Blond_Hair"]:
        return hsv(0.105 + 0.035 * unit[0], 0.34 + 0.34 * unit[1], 0.80 + 0.18 * unit[2])
    if labels["Black_Hair"]:
        return hsv(0.55 + 0.55 * unit[0], 0.05 + 0.30 * unit[1], 0.10 + 0.14 * unit[2])
    if labels["Brown_Hair"]:
        return hsv(0.04 + 0.05 * unit[0], 0.45 + 0.25 * unit[1], 0.26 + 0.26 * unit[2])
    if labels["Gray_Hair"]:
        return hsv(0.10 + 0.50 * unit[0], 0.01 + 0.07 * unit[1], 0.50 + 0.36 * unit[2])
    if unit[0] < 0.6:
        return hsv(0.025 + 0.03 * unit[1], 0.62 + 0.25 * unit[2], 0.48 + 0.25 * unit[1])
    return hsv(0.45 + 0.5 * unit[1], 0.35 + 0.30 * unit[2], 0.40 + 0.35 * unit[0])


def draw_hair_back(canvas: Canvas, hair: Hair) -> None:
    """Draw what hangs behind head and body."""
    right, left = hair.side(1), hair.side(-1)
    dome = [
        (-0.84 * hair.half_width, -48),
        (-24, hair.top + 5),
        (0, hair.top),
        (24, hair.top + 5),
        (0.84 * hair.half_width, -48),
    ]
    ends = np.array([(x, hair.length + 3 * np.sin(hair.phase + x)) for x in (30, 10, -10, -30)])
    canvas.fill(closed_curve(np.concatenate([dome, right, ends, left[::-1]])), shade(hair.colour, 0.74), "hair")
    offset = 0.08 * hair.half_width
    strands = [
        moved(edge[1:] * (share, 1), side * offset, -3)
        for side, edge in ((1, right), (-1, left))
        for share in (0.55, 0.7, 0.85)
    ]
    canvas.strokes(np.stack(strands), (shade(hair.colour, 0.65),), 1.2, "hair")


def draw_hair_front(canvas: Canvas, hair: Hair) -> None:
    """Draw what lies over the face: the top with its hairline or fringe and, of long hair, the locks."""
    if hair.length > 18 and hair.locks:
        _draw_locks(canvas, hair)
    outer = open_curve(
        [
            (-hair.half_width + 1, 0),
            (-hair.half_width, -26),
            (-0.82 * hair.half_width, -50),
            (-25, hair.top + 5),
            (0, hair.top - 1),
            (25, hair.top + 5),
            (0.82 * hair.half_width, -50),
            (hair.half_width, -26),
            (hair.half_width - 1, 0),
        ]
    )
    inner = open_curve(_hairline(hair))
    curls = 1 + 0.006 * hair.wave * np.sin(hair.phase + np.arange(len(outer)) * (1.05 + 0.15 * hair.fringe))
    outer[4:-4] *= curls[4:-4, None]
    canvas.fill(np.concatenate([outer, inner[::-1]]), hair.colour, "hair")
    _draw_strands(canvas, hair, outer, inner)


def _hairline(hair: Hair) -> list[tuple[float, float]]:
    """Return the front edge of the hair from the left temple to the right, nine points."""
    if hair.bangs:
        middle = [
            (x, -22 + 3 * hair.fringe * np.sin(hair.phase + x / 9) - abs(x) * 0.08) for x in (-26, -13, 0, 13, 26)
        ]
        return [(-44, 4), (-41, -14), *middle, (41, -14), (44, 4)]
    p, lift = hair.parting, 4 * hair.fringe
    return [
        (-44, 4),
        (-42, -16),
        (-37, -30),
        (p - (p + 37) * 0.5, -40 + lift),
        (p, -47 + lift),
        (p + (37 - p) * 0.5, -40 + lift),
        (37, -30),
        (42, -16),
        (44, 4),
    ]


# A quadratic Bezier curve: the weights of its start, its bend and its end, (6, 3).
_BENT = np.stack([(1 - _DOWN) ** 2, 2 * _DOWN * (1 - _DOWN), _DOWN**2], axis=1)


def _draw_strands(canvas: Canvas, hair: Hair, outer: Points, inner: Points) -> None:
    """Draw combed strands, light and dark in turn, from the parting over the side of the head to the hairline."""
    root = np.array([0.7 * hair.parting, hair.top + 5])
    at = np.linspace(0, len(inner) - 1, hair.strands).round().astype(int)[1:-1]
    knots = np.stack([np.broadcast_to(root, (len(at), 2)), 1.08 * outer[at], inner[at]], axis=1)
    # Over hair of one colour a mixed colour looks like a transparent one, and is drawn faster.
    canvas.strokes(_BENT @ knots, (shade(hair.colour, 0.9), shade(hair.colour, 1.09)), 1.0, "hair")


_LOCK = np.interp(np.linspace(0, 1, len(open_weights(len(_DOWN)))), [0, 0.5, 1], [5, 11, 3])  # its thickness


def _draw_locks(canvas: Canvas, hair: Hair) -> None:
    for side in (-1, 1):
        outer = open_curve(hair.side(side))
        inner = outer.copy()
        inner[:, 0] -= side * _LOCK
        canvas.fill(np.concatenate([outer, inner[::-1]]), shade(hair.colour, 0.95), "hair")
        strands = np.stack([outer * (1 - share) + inner * share for share in (0.3, 0.65)])
        canvas.strokes(strands, (shade(hair.colour, 1.05), shade(hair.colour, 0.83)), 1.0, "hair")
