"""How long jobs say where they are, and how they are stopped.

A long function takes a `Progress` callback and calls it between steps. The callback may raise
`fairsal_core.errors.CancelledError`; the function then leaves its files as resumable or absent, never half-valid.
"""

import sys
import time
from typing import Protocol


class Progress(Protocol):
    """Called with the steps done, the steps in all and a few words on what is happening."""

    def __call__(self, done: float, total: float, message: str = "") -> None: ...


def silent(done: float, total: float, message: str = "") -> None:
    """Report to nobody: the default."""


def part_of(progress: Progress, begun: float, whole: float) -> Progress:
    """Return a callback for a part of a job, which tells of the whole one."""

    def of_whole(done: float, total: float, message: str = "") -> None:
        progress(begun + done, whole, message)

    return of_whole


class Eta:
    """Seconds left, from the pace so far.

    Examples
    --------
    >>> eta = Eta(now=0.0)
    >>> eta.remaining(0.25, now=10.0)
    30.0
    """

    def __init__(self, now: float | None = None) -> None:
        self._started = time.monotonic() if now is None else now

    def remaining(self, fraction: float, now: float | None = None) -> float | None:
        """Return the seconds left at `fraction` (0 to 1) done, or None while there is no pace to judge by."""
        if fraction <= 0:
            return None
        elapsed = (time.monotonic() if now is None else now) - self._started
        return elapsed * (1 - fraction) / fraction


_told: set[str] = set()


def tell(progress: Progress, said: str) -> None:
    """Say what people should know besides how far it is: in the log, and, at once if it can, to whoever follows the progress."""
    print(said, file=sys.stderr)
    _told.add(said)
    note = getattr(progress, "note", None)
    if note:
        note(said)
    else:
        progress(0, 1, said)


def was_told(said: str) -> bool:
    """Return whether `tell` has said this in this process, so that no terminal shows it once more as progress."""
    return said in _told
