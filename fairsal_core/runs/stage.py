"""Stages: what a job is made of. What a stage makes is kept, and taken again wherever the same is asked for."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from fairsal_core.progress import Progress, silent, tell
from fairsal_core.runs.artifacts import artifact, artifact_key, is_made
from fairsal_core.runs.events import JobProgress

Made = TypeVar("Made")

_REUSED = 1.0  # seconds that a step takes at most whose artifact is there, which tells nothing of others of its kind


@dataclass(frozen=True)
class Stage(Generic[Made]):
    """Something to make once: its result is an artifact, known by everything that it depends on.

    Attributes
    ----------
    name : str
        What kind of thing it makes, and the folder of the cache that such things lie in.
    version : int
        Raised whenever what `build` computes changes, so that nothing older is taken for its own.
    depends_on : mapping
        JSON-able; anything whose change must give another artifact.
    build : callable
        (empty folder, progress): makes it. If it raises, nothing remains.
    read : callable
        (folder) -> what is wanted of it.
    """

    name: str
    version: int
    depends_on: Mapping[str, Any]
    build: Callable[[Path, Progress], None]
    read: Callable[[Path], Made]

    @property
    def identity(self) -> dict[str, Any]:
        """All that tells its artifact from others: for whatever is made of it to depend on."""
        return {"version": self.version, **self.depends_on}

    @property
    def key(self) -> str:
        """Name of the artifact."""
        return artifact_key(self.identity)

    @property
    def is_made(self) -> bool:
        """Whether the artifact is in this machine's cache."""
        return is_made(self.name, self.identity)

    def make(self, progress: Progress = silent) -> Made:
        """Return what the stage makes: made now, unless it was before."""
        build = partial(self._build, progress)
        return self.read(artifact(self.name, self.identity, build, partial(tell, progress)))

    def put(self, build: Callable[[Path], None]) -> Made:
        """Return what the stage makes, taking it, where it is not there yet, from something made on the way to another."""
        return replace(self, build=lambda folder, progress: build(folder)).make()

    def _build(self, progress: Progress, folder: Path) -> None:
        self.build(folder, progress)


@dataclass(frozen=True)
class Step:
    """A stage's place in a pipeline.

    Attributes
    ----------
    title : str
        What the job calls this part of its work.
    work : callable
        How much work it is, in a unit of the pipeline's own; asked when the step or one before it begins, since what was made in
        the meantime is none.
    do : callable
        Makes the stage, and does with it what the job is about.
    kind : tuple of str
        What takes as long for the same work, from the general to the special: how long a step will take is told by the last one
        that has most of this in common with it.
    """

    title: str
    work: Callable[[], float]
    do: Callable[[], None]
    kind: tuple[str, ...] = ()


def run_steps(steps: Sequence[Step], progress: JobProgress, share: float) -> None:
    """Go through a pipeline, which is a `share` (0 to 1) of the whole job; each step gets its part by the work in it.

    The time left is told by what steps of each kind took, not by the part of the job they were thought to be.
    """
    left, begun, beyond = share, time.monotonic(), 1 - progress.ends - share
    took: dict[tuple[str, ...], float] = {}  # seconds a unit of work of each kind
    for number, step in enumerate(steps):
        work, started = step.work(), time.monotonic()
        later = [(each.kind, each.work()) for each in steps[number + 1 :]]
        rest = sum(amount for _, amount in later)
        part = left * work / (work + rest) if work else 0.0

        own = _Own(step.kind, work, started - begun)
        after = partial(_seconds_after, own, later, took, max(beyond, 0.0) / share) if work else None
        progress.stage(step.title, share=part, after=after)
        step.do()
        seconds = time.monotonic() - started
        if work and seconds > _REUSED:
            took[step.kind] = seconds / work
        left -= part


class _Own(NamedTuple):
    """A step as it begins: its kind, its work, and the seconds that the steps before it took."""

    kind: tuple[str, ...]
    work: float
    before: float


def _seconds_after(
    own: _Own,
    later: Sequence[tuple[tuple[str, ...], float]],
    took: Mapping[tuple[str, ...], float],
    beyond: float,
    whole: float,
) -> float:
    """Return the seconds that the rest of a job takes if a step takes `whole`: the later ones by kind and work, and what comes
    after the pipeline, a share `beyond` of its seconds."""
    own_pace = whole / own.work
    coming = sum(amount * _pace(kind, {own.kind: own_pace, **took}, own_pace) for kind, amount in later)
    return coming + (own.before + whole + coming) * beyond


def _pace(kind: tuple[str, ...], took: Mapping[tuple[str, ...], float], unknown: float) -> float:
    """Return the seconds a unit of work of this kind takes: as it did, or as the nearest kinds do on average."""
    for length in range(len(kind), 0, -1):
        near = [pace for other, pace in took.items() if other[:length] == kind[:length]]
        if near:
            return sum(near) / len(near)
    return unknown
