"""Only some at once may do what takes much, and nobody keeps the others from it for long."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A number of turns, each for a bounded time: whoever takes longer, or is stuck, goes on without one.

    Parameters
    ----------
    count : int
        How many there are at once.
    seconds : float
        How long one lasts.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self._count, self._seconds = count, seconds
        self._changed = threading.Condition()
        self._until: dict[int, float] = {}  # by thread

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a turn, and keep it until the end of the block, `end` or its own end."""
        me = threading.get_ident()
        with self._changed:
            while (wait := self._seconds_to_wait()) > 0:
                self._changed.wait(wait)
            self._until[me] = time.monotonic() + self._seconds
        try:
            yield
        finally:
            self.end()

    def end(self) -> None:
        """Give back the turn of this thread, if it has one."""
        with self._changed:
            if self._until.pop(threading.get_ident(), None) is not None:
                self._changed.notify()

    def _seconds_to_wait(self) -> float:
        """Return 0 if there is a turn; else after how long there will be one at the latest."""
        now = time.monotonic()
        lasting = sorted(until for until in self._until.values() if until > now)
        return lasting[-self._count] - now if len(lasting) >= self._count else 0.0
