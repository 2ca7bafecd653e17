"""Stages: what a job is made of. What a stage makes is kept, and taken again wherever the same is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from fairsal_core.progress import Progress, silent, tell
from fairsal_core.runs.artifacts import artifact, artifact_key, is_made
from fairsal_core.runs.events import JobProgress

Made = TypeVar("Made")


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
    """

    title: str
    work: Callable[[], float]
    do: Callable[[], None]


def run_steps(steps: Sequence[Step], progress: JobProgress, share: float) -> None:
    """Go through a pipeline, which is a `share` (0 to 1) of the whole job; each step gets its part by the work in it."""
    left = share
    for number, step in enumerate(steps):
        work = step.work()
        rest = sum(later.work() for later in steps[number + 1 :])
        part = left * work / (work + rest) if work else 0.0
        progress.stage(step.title, share=part)
        step.do()
        left -= part
