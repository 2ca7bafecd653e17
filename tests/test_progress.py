"""Seconds left, from the pace so far."""

import pytest

from fairsal_core.progress import Eta, silent


@pytest.mark.parametrize(("fraction", "elapsed", "left"), [(0.5, 10, 10), (0.1, 1, 9), (1.0, 7, 0)])
def test_eta_follows_the_pace(fraction: float, elapsed: float, left: float) -> None:
    assert Eta(now=100.0).remaining(fraction, now=100.0 + elapsed) == pytest.approx(left)


def test_there_is_no_eta_before_the_first_step() -> None:
    assert Eta(now=0.0).remaining(0.0, now=5.0) is None


def test_eta_uses_a_real_clock_by_default() -> None:
    left = Eta().remaining(0.5)
    assert left is not None
    assert 0 <= left < 5


def test_silent_takes_what_a_progress_gets() -> None:
    silent(1, 2, "half")
