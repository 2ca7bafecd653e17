"""Dominance, against its definition point by point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import dominated

POINTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


@given(POINTS)
def test_by_definition(points: list[tuple[int, int]]) -> None:
    found = dominated(*np.array(points, dtype=float).T)
    for (gain, cost), beaten in zip(points, found, strict=True):
        slow = any(g >= gain and c <= cost and (g > gain or c < cost) for g, c in points)
        assert beaten == slow
    assert not found.all()


def test_what_is_unknown_takes_no_part() -> None:
    assert dominated(np.array([0.5, np.nan, 0.4]), np.array([0.1, 0.0, np.nan])).tolist() == [False] * 3


def test_shapes_have_to_agree() -> None:
    with pytest.raises(FairsalError, match="of one shape"):
        dominated(np.zeros(3), np.zeros(2))
