"""How a job says where it is: one `JobProgress` for all its stages, heard by files, a terminal or nobody."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

from fairsal_core.errors import CancelledError
from fairsal_core.progress import Eta

RECORD_SECONDS = 1.0  # a night's training stays a log of some megabytes
SHOW_SECONDS = 0.25
_RESERVED = ("time", "stage", "fraction", "message")


@dataclass(frozen=True)
class Event:
    """One moment of a job.

    Attributes
    ----------
    time : float
        Unix time, in seconds.
    stage : str
        What the job calls this part of its work.
    fraction : float
        How much of the whole job is done, 0 to 1.
    message : str
        A few words on what is happening.
    numbers : Mapping[str, float]
        What to draw as curves, such as loss or accuracy; NaN where there was no finite number.
    eta_seconds : float or None
        Seconds left; None while there is no pace to judge by. Not kept in `events.jsonl`.
    """

    time: float
    stage: str
    fraction: float
    message: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    eta_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the event as one flat, strictly valid JSON object: numbers that are not finite become null."""
        numbers = {name: value if math.isfinite(value) else None for name, value in self.numbers.items()}
        return {"time": self.time, "stage": self.stage, "fraction": self.fraction, "message": self.message, **numbers}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Event":
        """Return the event that `as_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
        numbers = {
            name: math.nan if value is None else float(value)
            for name, value in content.items()
            if name not in _RESERVED
        }
        return cls(
            float(content["time"]), str(content["stage"]), float(content["fraction"]), str(content["message"]), numbers
        )


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing: the default."""


def _never() -> bool:
    return False


class JobProgress:
    """Turns the progress of each stage into progress of the whole job, and passes on that someone asked to stop.

    It is a `fairsal_core.progress.Progress`, so any long function takes it. It needs no run directory.

    Parameters
    ----------
    record : Listener
        Gets the events worth keeping: each stage's first and last, all with numbers, and otherwise one a second.
    show : Listener
        Gets the events worth showing now: each stage's first and last, and otherwise four a second.
    cancelled : callable
        Asked at every call; when it says True the call raises `CancelledError`.

    Examples
    --------
    >>> progress = JobProgress(show=lambda event: print(f"{event.fraction:.2f} {event.stage}: {event.message or 'begins'}"))
    >>> progress.stage("pack", share=0.2)
    0.00 pack: begins
    >>> progress(10, 10, "packed")
    0.20 pack: packed
    >>> progress.stage("train", share=0.8)
    0.20 train: begins
    >>> progress(3, 3, "epoch 3", loss=0.5)
    1.00 train: epoch 3
    """

    def __init__(
        self, record: Listener = ignore, show: Listener = ignore, cancelled: Callable[[], bool] = _never
    ) -> None:
        self._record = _Throttle(record, RECORD_SECONDS)
        self._show = _Throttle(show, SHOW_SECONDS)
        self._cancelled = cancelled
        self._complete = False
        self._reached = 0.0
        self._begin("", 0.0, 1.0)

    @property
    def ends(self) -> float:
        """How much of the whole job is done when the stage is, 0 to 1."""
        return self._ends if self._name else 0.0

    def stage(self, name: str, share: float, after: Callable[[float], float] | None = None) -> None:
        """Begin a stage which is a `share` (0 to 1) of the whole job; it follows where the one before was to end.

        `after` tells how many seconds the rest of the job takes if this stage takes so many; by default as many for its share.
        """
        begins = self.ends
        self._begin(name, begins, min(begins + share, 1.0), after)
        self._say(Event(time.time(), name, begins), important=True)

    def __call__(self, done: float, total: float, message: str = "", **numbers: SupportsFloat) -> None:
        """Say that `done` of `total` steps of this stage are done.

        Raises
        ------
        CancelledError
            If someone asked the job to stop.
        """
        if taken := [name for name in numbers if name in _RESERVED]:
            raise TypeError(f"A number cannot be called '{taken[0]}': every event has a field of that name.")
        local = _fraction(done, total)
        last = local >= 1 and not self._complete
        self._complete = local >= 1
        event = Event(
            time.time(),
            self._name,
            self._advance(min(self._begins + local * (self._ends - self._begins), 1.0)),
            message,
            {name: float(value) for name, value in numbers.items()},
            self._remaining(local),
        )
        self._say(event, important=last)

    def beside(self, stage: str, message: str, **numbers: SupportsFloat) -> None:
        """Say what came of something that goes on within this stage but has a name, and curves, of its own."""
        told = {name: float(value) for name, value in numbers.items()}
        self._say(Event(time.time(), stage, self._reached, message, told), important=False)

    def note(self, message: str) -> None:
        """Say something that must not be missed, wherever the stage is."""
        self._say(Event(time.time(), self._name, self._reached, message), important=True)

    def _begin(self, name: str, begins: float, ends: float, after: Callable[[float], float] | None = None) -> None:
        self._name, self._begins, self._ends = name, begins, ends
        self._eta = Eta()
        self._started = time.monotonic()
        self._complete = False
        self._after = after

    def _advance(self, fraction: float) -> float:
        """Return the fraction, or the largest so far: a stage of two loops counts from nothing twice."""
        self._reached = max(self._reached, fraction)
        return self._reached

    def _remaining(self, local: float) -> float | None:
        """Return the seconds left for the job, at this stage's pace and what is known of those after it.

        Not at the pace since the start: stages whose results are reused take no time, and would promise too much.
        """
        width = self._ends - self._begins
        in_stage = self._eta.remaining(local)
        if in_stage is None or width <= 0:
            return None
        whole_stage = time.monotonic() - self._started + in_stage
        rest = self._after(whole_stage) if self._after else whole_stage * (1 - self._ends) / width
        return in_stage + rest

    def _say(self, event: Event, important: bool) -> None:
        self._record(event, important or bool(event.numbers))
        self._show(event, important)
        if self._cancelled():
            raise CancelledError(f"Cancelled during {event.stage or 'the first stage'}.")


class _Throttle:
    """Passes events on, the unimportant ones not more often than every so many seconds."""

    def __init__(self, listener: Listener, seconds: float) -> None:
        self._listener = listener
        self._seconds = seconds
        self._last = -math.inf

    def __call__(self, event: Event, important: bool) -> None:
        now = time.monotonic()
        if not important and now - self._last < self._seconds:
            return
        self._last = now
        self._listener(event)


def _fraction(done: float, total: float) -> float:
    """Return how much is done, 0 to 1: nothing to do is done, and what is not a number has not begun."""
    if total <= 0:
        return 1.0
    fraction = done / total
    return min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
