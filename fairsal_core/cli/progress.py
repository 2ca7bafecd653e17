"""Progress on stderr: one line that is kept up to date, or, where that is no terminal, a line now and then."""

import sys
import time
from collections.abc import Callable
from typing import Any

from fairsal_core.output import one_line, tell
from fairsal_core.progress import Eta, was_told

_QUIET_SECONDS = 5.0  # where stderr is a file or a pipe, a line this often is enough


def show_progress() -> Callable[..., None]:
    """Return a progress callback that keeps one line on stderr up to date, or prints sparsely where that is no terminal."""
    eta = Eta()
    say = _progress_line()

    def show(done: float, total: float, message: str = "", **numbers: float) -> None:
        if was_told(message):
            return
        fraction = done / total if total else 1.0
        say(fraction, message, eta.remaining(fraction))

    return show


def tell_events() -> Callable[[Any], None]:
    """Return a listener that shows a run's events as progress."""
    say = _progress_line()

    def listener(event: Any) -> None:
        if was_told(event.message):
            return
        message = f"{event.stage}: {event.message}" if event.message else event.stage
        say(event.fraction, message, event.eta_seconds)

    return listener


def _progress_line() -> Callable[[float, str, float | None], None]:
    """Return what prints how much is done (0 to 1), what is happening and how many seconds are left."""
    live = sys.stderr is not None and sys.stderr.isatty()
    said = -_QUIET_SECONDS

    def say(fraction: float, message: str, left: float | None) -> None:
        nonlocal said
        if not live and fraction < 1 and time.monotonic() - said < _QUIET_SECONDS:
            return
        said = time.monotonic()
        line = f"{fraction:4.0%}  {one_line(message)}" + (f"  ({left:.0f} s left)" if left and left > 1 else "")
        tell(line, end="\n" if fraction >= 1 or not live else "", begin="\r\x1b[K" if live else "")

    return say
