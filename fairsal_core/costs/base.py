"""What a job takes, and how a kind of job says so: a moment of each of its stages, tried here, and arithmetic on that."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar

import psutil

from fairsal_core.faces import FaceDataset
from fairsal_core.runs import processes
from fairsal_core.settings import FrozenSettings

PROBE_SECONDS = 1.0
PROBED_FACES = 64
PICTURE = 128 * 128 * 3  # bytes of a face, as it is packed
RELEVANCE = 128 * 128 * 2  # bytes of a map of an explainer: float16

Config = TypeVar("Config", bound=FrozenSettings)
Paces = TypeVar("Paces")
ReadFaces = Callable[[str], FaceDataset]
"""Source -> its faces, packed or packed when looked at."""


@dataclass(frozen=True)
class Cost:
    """What a job takes, if nothing of it is there yet.

    Attributes
    ----------
    seconds : mapping of str to float
        Stage -> how long it takes, in the order in which they are done.
    memory : mapping of str to int
        What is held at once, at the most -> bytes. Packed pictures are counted as far as they are looked at, though the system
        takes their pages back where it is short of others.
    disk : mapping of str to int
        What is left in the workspace, cache and run together -> bytes.
    """

    seconds: Mapping[str, float]
    memory: Mapping[str, int] = field(default_factory=dict)
    disk: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Probed(Generic[Paces]):
    """What a process found that tried the stages of a job.

    Attributes
    ----------
    paces : Paces
        Of its stages.
    memory : int
        The most bytes that it held.
    started : float
        Seconds until it could begin: for the program, and for the faces.
    """

    paces: Paces
    memory: int
    started: float = 0.0


@dataclass(frozen=True)
class Costing(Generic[Config, Paces]):
    """How a kind of job is costed.

    Attributes
    ----------
    parse : callable
        What a run of this kind has in its `config.json` -> its settings.
    paces : type
        Of the paces, for a probe in another process to send them.
    depends_on : callable
        Settings -> what their paces depend on, as JSON; settings alike in it share a probe.
    probe : callable
        Settings and a reader of faces -> paces; it does a moment of each stage, and keeps nothing.
    cost : callable
        Settings, a reader of faces, what was probed -> what the job takes.
    """

    parse: Callable[[Mapping[str, Any]], Config]
    paces: Any
    depends_on: Callable[[Config], Any]
    probe: Callable[[Config, ReadFaces], Paces]
    cost: Callable[[Config, ReadFaces, Probed[Paces]], Cost]


def probed_here(costing: Costing[Config, Any], config: Config, load: ReadFaces) -> Probed[Any]:
    """Try the stages of a job in this process, which should hold little else.

    Parameters
    ----------
    costing : Costing
        Of the kind of job.
    config : Config
        Its settings.
    load : callable
        Reads the faces of a source, which is done once.
    """
    seconds = [time.time() - psutil.Process().create_time()]

    @cache
    def read(source: str) -> FaceDataset:
        begun = time.perf_counter()
        faces = load(source)
        seconds.append(time.perf_counter() - begun)
        return faces

    paces = costing.probe(config, read)
    return Probed(paces, processes.peak_memory(), sum(seconds))


def pace_of(work: Callable[[int], object], most: int) -> float:
    """Return how many a second are done, by doing ever more until that takes long enough to tell."""
    work(1)
    count = 1
    while True:
        begun = time.perf_counter()
        work(count)
        took = time.perf_counter() - begun
        if took > PROBE_SECONDS / 4 or count >= most:
            return count / max(took, 1e-9)
        count = min(count * 4, most)


def there_is(amounts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the amounts without those of nothing."""
    return {what: amount for what, amount in amounts.items() if amount > 0}
