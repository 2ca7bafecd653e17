"""Curves that are linear in their points."""

import numpy as np

from fairsal_core.drawing import geometry
from fairsal_core.drawing.geometry import closed_curve, open_curve


def test_curves_go_through_their_points() -> None:
    points = np.random.default_rng(0).normal(size=(7, 2))
    assert np.allclose(closed_curve(points)[:: geometry._STEPS], points)
    assert np.allclose(open_curve(points)[:: geometry._STEPS], points)
    # Halfway between two points of a Catmull-Rom spline: (-1, 9, 9, -1) / 16 of the four around.
    halfway = (9 * (points[2] + points[3]) - points[1] - points[4]) / 16
    assert np.allclose(closed_curve(points)[2 * geometry._STEPS + geometry._STEPS // 2], halfway)
