"""Names beside the points of a chart, put where they lie on no other name and no other point."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Of the plotted area, in pixels, about as charts across the page are: it only has to tell names that meet from those that do not.
WIDTH, HEIGHT = 850.0, 330.0
LETTER, LINE, POINT = 7.0, 15.0, 14.0
PLACES = {
    # Intervals go straight up and to the sides, so names stand askew where they can.
    "top right": (1, 1),
    "bottom right": (1, -1),
    "top left": (-1, 1),
    "bottom left": (-1, -1),
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
}


def label_places(x: ArrayLike, y: ArrayLike, names: Sequence[str], across: float, down: float) -> list[str]:
    """Return where the name of each point goes, as plotly's `textposition`.

    One name after the other takes the first place that covers least of the names before it and of all points.

    Parameters
    ----------
    x, y : array, (N,)
        The points.
    names : sequence of str, (N,)
        Their names.
    across, down : float
        What the axes span, in the units of x and y.
    """
    at = np.column_stack([np.asarray(x, float) / across * WIDTH, np.asarray(y, float) / down * HEIGHT])
    taken = [_box(point, (0, 0), POINT, POINT) for point in at]
    chosen = []
    for point, name in zip(at, names, strict=True):
        boxes = {place: _box(point, side, LETTER * len(name), LINE) for place, side in PLACES.items()}
        place = min(boxes, key=lambda place: sum(_overlap(boxes[place], other) for other in taken))
        taken.append(boxes[place])
        chosen.append(place)
    return chosen


def _box(point: NDArray[np.float64], side: tuple[int, int], width: float, height: float) -> NDArray[np.float64]:
    """Return left, bottom, right and top of a box beside a point, or around it where `side` is (0, 0)."""
    centre = point + np.array(side) * (np.array([width, height]) + POINT) / 2
    half = np.array([width, height]) / 2
    return np.concatenate([centre - half, centre + half])


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the area that two boxes share."""
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    return float(np.prod(shared)) if (shared > 0).all() else 0.0
