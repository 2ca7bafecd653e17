"""Curves and outlines, arrays of points (n, 2), and where in the picture they land.

Coordinates: faces are drawn around the point between the eyes, x to the right and y down, in pixels of the 178x218 frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def within(value: float, low: float, high: float) -> float:
    """Return the value, or the limit that it is beyond."""
    return low if value < low else high if value > high else value


def _curve_weights(steps: int) -> Points:
    """Return the Catmull-Rom weights that turn the four points around a segment into `steps` points, (steps, 4)."""
    t = np.arange(steps)[:, None] / steps
    powers = np.hstack([np.ones_like(t), t, t**2, t**3])
    matrix = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ matrix, dtype=np.float64)


_STEPS = 4  # points a segment; at twice the size more cannot be seen, and each costs time
_CURVE = _curve_weights(_STEPS)


def _through(knots: Points) -> Points:
    """Return the curve from the second of the knots to the last but one, (n, m) -> (4 (n - 3), m)."""
    around = np.stack([knots[:-3], knots[1:-2], knots[2:-1], knots[3:]], axis=1)
    return np.asarray(_CURVE @ around, dtype=np.float64).reshape(-1, knots.shape[1])


# A curve is linear in its points: for each number of points one matrix, which is far quicker than the steps one by one.


@cache
def _closed_weights(count: int) -> Points:
    return _through(np.eye(count)[np.arange(-1, count + 2) % count])


@cache
def open_weights(count: int) -> Points:
    """Return what an open curve through `count` points takes of each of them, (4 (count - 1) + 1, count)."""
    knots = np.eye(count)
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    return np.concatenate([_through(padded), knots[-1:]])


def closed_curve(points: Any) -> Points:
    """Return a smooth closed outline through the points, (n, 2) -> (4 n, 2)."""
    outline: Points = _closed_weights(len(points)) @ np.asarray(points, dtype=np.float64)
    return outline


def open_curve(points: Any) -> Points:
    """Return a smooth line from the first point to the last, (n, 2) -> (4 (n - 1) + 1, 2)."""
    line: Points = open_weights(len(points)) @ np.asarray(points, dtype=np.float64)
    return line


_TURN = np.linspace(0, 2 * np.pi, 16, endpoint=False)
CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def ellipse(x: float, y: float, width: float, height: float) -> Points:
    """Return an ellipse by its centre and its half axes."""
    outline: Points = CIRCLE * np.array([width, height]) + np.array([x, y])
    return outline


def mirrored(right: Sequence[tuple[float, float]]) -> Points:
    """Return the outline whose right half runs from the top middle to the bottom middle."""
    return np.array([*right, *[(-x, y) for x, y in right[-2:0:-1]]], dtype=np.float64)


def moved(points: Points, x: float, y: float) -> Points:
    """Return the points moved to the right and down."""
    shifted: Points = points + np.array([x, y])
    return shifted


def flipped(points: Points, side: int) -> Points:
    """Return the points on this side: 1 as they are, -1 with left and right exchanged."""
    turned: Points = points * np.array([side, 1.0])
    return turned


_EYES_AT = (89.0, 112.0)


@dataclass(frozen=True)
class Frame:
    """Where drawing coordinates land in the picture: turned and scaled around a pivot, then moved."""

    scale: float
    angle: float
    move: tuple[float, float]
    pivot: tuple[float, float] = (0.0, 30.0)

    @cached_property
    def _matrix(self) -> Points:
        cos, sin = self.scale * np.cos(self.angle), self.scale * np.sin(self.angle)
        return np.array([[cos, sin], [-sin, cos]])

    @cached_property
    def _offset(self) -> Points:
        return np.add(np.add(self.pivot, self.move), _EYES_AT) - np.asarray(self.pivot) @ self._matrix

    def __call__(self, points: Points) -> Points:
        placed: Points = points @ self._matrix + self._offset
        return placed
