"""A sweep: many experiments, each a run of its own, and one table of them all.

A trial is known by the hash of its config, which is part of its run's id: one that was finished before is not run again,
one that is still going (its sweep was killed, it was not) is waited for. So a killed sweep resumes by being started again.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.experiments import plan_variants
from fairsal_core.faces import FaceDataset, available_counts, feasible_scale, load_faces
from fairsal_core.files import write_json, write_parquet
from fairsal_core.progress import Progress, silent, tell
from fairsal_core.results import best_quantiles, replication_table
from fairsal_core.runs import JobProgress, RunFiles, is_there, launcher, read_content, read_table, store
from fairsal_core.scaling.reuse import finished_runs, reusable
from fairsal_core.settings import ExperimentConfig, SweepConfig, checked_settings, parse_config, plan_trials

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Trial:
    """One experiment of a sweep, and how it went."""

    key: str
    confounder: str
    run: str | None = None
    state: str = "waiting"
    error: str | None = None
    reused: bool = False


def check_trials(sweep: SweepConfig, read: Callable[[str], FaceDataset]) -> list[ExperimentConfig]:
    """Return the planned trials, scaled to the faces if the sweep wants that, after checking that the faces allow them.

    Parameters
    ----------
    sweep : SweepConfig
        Whose trials.
    read : callable
        Source -> its faces.

    Raises
    ------
    FairsalError
        If the faces do not allow a trial; it names the trial.
    """
    checked = []
    for number, config in enumerate(plan_trials(sweep), start=1):
        faces = read(config.data)
        if sweep.fit:
            available = available_counts(faces.in_split("train"), config.target, config.confounder, config.counts)
            scale = feasible_scale(config.counts, available)
            config = config.model_copy(update={"counts": config.counts.scaled(scale)})
        try:
            plan_variants(config, faces.listed)
        except FairsalError as error:
            raise FairsalError(f"Trial {number} of the sweep ({config.confounder}): {error}") from error
        checked.append(config)
    return checked


def run_job(config: dict[str, Any], run: Path, progress: JobProgress) -> None:
    """Run the sweep that a run directory's config describes: the entry point of the worker."""
    run_sweep(checked_settings(SweepConfig, config), run, progress)


def run_sweep(sweep: SweepConfig, run: Path, progress: JobProgress) -> None:
    """Run every trial that is not finished yet, and write the tables of all into the sweep's run directory.

    Writes `trials.json` (kept up to date), `table.parquet` (see `replication_table`) and `quantiles.parquet` (see
    `best_quantiles`). A trial that fails leaves the others alone.

    Raises
    ------
    FairsalError
        If a trial cannot work, before any begins; or if all of them failed.
    """
    progress.stage("checking", share=0.05)
    configs = check_trials(sweep, lambda source: load_faces(source, progress))
    progress.stage("trials", share=0.93)
    engine = _engine(sweep, len(configs))
    pool = _Pool(engine, configs, run)
    try:
        pool.work(progress)
    except BaseException:
        pool.cancel()
        raise
    finally:
        engine.close()
    progress.stage("results", share=0.02)
    write_tables(configs, pool.trials, run)
    failed = [trial for trial in pool.trials if trial.state != "finished"]
    if len(failed) == len(configs):
        raise FairsalError(f"Every trial failed; the first: {failed[0].error}")
    progress(1, 1, f"{len(configs) - len(failed)} of {len(configs)} trials finished")


def write_tables(configs: list[ExperimentConfig], trials: list[Trial], run: Path) -> None:
    """Write the tables of the trials that finished."""
    done = [
        (config, store.run_path(trial.run))
        for config, trial in zip(configs, trials, strict=True)
        if trial.run and trial.state == "finished"
    ]
    files = RunFiles(run)
    for file, table_of in ((files.trial_table, replication_table), (files.best_quantiles, best_quantiles)):
        tables = [table for config, path in done if not (table := table_of(config, path)).empty]
        write_parquet(file, pd.concat(tables, ignore_index=True) if tables else pd.DataFrame())


def read_sweep(run: Path) -> tuple[list[Trial], pd.DataFrame, pd.DataFrame]:
    """Return the trials of a sweep's run directory, its table, and the best quantiles; the tables are empty until it ends."""
    files = RunFiles(run)
    try:
        trials = [Trial(**trial) for trial in read_content(run, files.trials)]
    except (OSError, TypeError) as error:
        raise FairsalError(f"The trials of {run.name} cannot be read ({error}).") from error
    table, quantiles = (
        read_table(run, file) if is_there(run, file) else pd.DataFrame()
        for file in (files.trial_table, files.best_quantiles)
    )
    return trials, table, quantiles


Look = Callable[[], tuple[str | None, store.Status]]


class Engine(Protocol):
    """Where trials are done. What `start` gives back is its own affair."""

    places: list[str]  # as many trials at once

    def find(self, keys: list[str]) -> None:
        """Bring here the finished runs of trials with these keys, if they may be elsewhere."""

    def start(self, config: Mapping[str, Any], name: str, place: str) -> Any:
        """Begin a trial and return at once."""

    def look(self, begun: Any) -> tuple[str | None, store.Status]:
        """Return the id of a trial's run, if that is known by now, and how it is."""

    def cancel(self, begun: list[Any]) -> None:
        """Stop trials, those too that have ended, and return when they have or it takes too long."""

    def close(self) -> None:
        """Give back what the engine holds."""


class LocalTrials:
    """Trials on this machine: as many at once as there are devices, each in a process of its own."""

    def __init__(self, sweep: SweepConfig, count: int) -> None:
        if sweep.storage:
            raise FairsalError("A storage is for the nodes of a cluster: add --engine ray, or leave it out.")
        self.places = _places(sweep.device)

    def find(self, keys: list[str]) -> None:
        """They are all here."""

    def start(self, config: Mapping[str, Any], name: str, place: str) -> Path:
        return launcher.start("experiment", {**config, "device": place}, name=name)

    def look(self, begun: Path) -> tuple[str | None, store.Status]:
        return _look_at(begun)

    def cancel(self, begun: list[Path]) -> None:
        for run in begun:
            launcher.cancel(run)

    def close(self) -> None:
        """Nothing is held."""


def _look_at(path: Path) -> tuple[str, store.Status]:
    return path.name, store.load_run(path).status


def _ray_trials(sweep: SweepConfig, count: int) -> Engine:
    from fairsal_core.scaling.ray_cluster import RayTrials

    return RayTrials(sweep.device, sweep.address, sweep.storage, count)


ENGINES: Mapping[str, Callable[[SweepConfig, int], Engine]] = {"local": LocalTrials, "ray": _ray_trials}


def _engine(sweep: SweepConfig, count: int) -> Engine:
    if sweep.engine not in ENGINES:
        raise unknown_name("engine", sweep.engine, ENGINES)
    return ENGINES[sweep.engine](sweep, count)


class _Pool:
    """Trials at work, at the places that the engine has."""

    def __init__(self, engine: Engine, configs: list[ExperimentConfig], run: Path) -> None:
        self.trials = [Trial(config.key, config.confounder) for config in configs]
        self._engine, self._configs, self._run = engine, configs, run
        self._at_work: dict[int, tuple[str, Look]] = {}  # trial -> where, how it is
        self._seen: dict[int, store.Status] = {}
        self._mine: list[Any] = []
        self._going: dict[str, store.Run] = {}
        self._faces: dict[str, FaceDataset] = {}
        self._waiting: deque[int] = deque()

    def work(self, progress: JobProgress) -> None:
        """Go on until every trial has ended."""
        self._engine.find([trial.key for trial in self.trials])
        self._going = _going_runs()
        for number, trial in enumerate(self.trials):
            found = self._reusable(number, finished_runs(trial.key), progress)
            if found:
                self._note(number, run=found.id, state="finished", reused=True)
            else:
                self._waiting.append(number)
        while self._waiting or self._at_work:
            free = [place for place in self._engine.places if place not in [at for at, _ in self._at_work.values()]]
            for place in free[: len(self._waiting)]:
                self._begin(self._waiting.popleft(), place)
            self._collect(progress)
            progress(self._done(), len(self.trials), self._message())
            time.sleep(_POLL_SECONDS)

    def cancel(self) -> None:
        """Stop what this sweep started; what it found going goes on."""
        self._engine.cancel(self._mine)
        self._collect(silent)

    def _begin(self, number: int, place: str) -> None:
        config, found = self._configs[number], self._going.get(self.trials[number].key)
        if found:
            look: Look = partial(_look_at, found.path)
        else:
            begun = self._engine.start(config.model_dump(mode="json"), f"{config.confounder} {config.key}", place)
            self._mine.append(begun)
            look = partial(self._engine.look, begun)
        self._at_work[number] = (place, look)
        self._note(number, state="running", reused=bool(found))

    def _reusable(self, number: int, candidates: list[store.Run], progress: Progress) -> store.Run | None:
        """Return the run that may stand for a trial's, if there is one, and tell why others may not."""
        if not candidates:
            return None
        config = self._configs[number]
        if config.data not in self._faces:
            self._faces[config.data] = load_faces(config.data)
        found, refused = reusable(candidates, config, self._faces[config.data])
        for said in refused:
            tell(progress, said)
        return found

    def _is_no_use(self, number: int, status: store.Status, progress: Progress) -> bool:
        """Return whether a run that was found going has ended without what the trial wants."""
        found = self._going.get(self.trials[number].key)
        if found is None or status.state not in ("interrupted", "finished"):
            return False
        # Interrupted, it has gone the way of the sweep that began it.
        return status.state == "interrupted" or self._reusable(number, [found], progress) is None

    def _collect(self, progress: Progress) -> None:
        for number, (_, look) in list(self._at_work.items()):
            run, status = look()
            self._seen[number] = status
            if self._is_no_use(number, status, progress):
                del self._going[self.trials[number].key]
                del self._at_work[number]
                self._waiting.append(number)
                self._note(number, run=None, state="waiting", reused=False)
            elif status.state in store.TERMINAL:
                del self._at_work[number]
                self._note(number, run=run, state=status.state, error=status.error)
            elif run != self.trials[number].run:
                self._note(number, run=run)

    def _note(self, number: int, **changes: Any) -> None:
        self.trials[number] = Trial(**{**asdict(self.trials[number]), **changes})
        write_json(RunFiles(self._run).trials, [asdict(trial) for trial in self.trials])

    def _done(self) -> float:
        ended = sum(trial.state not in ("waiting", "running") for trial in self.trials)
        return ended + sum(self._seen[number].fraction for number in self._at_work)

    def _message(self) -> str:
        statuses = [(self.trials[number].confounder, self._seen[number]) for number in self._at_work]
        at_work = [f"{name}: {status.message or status.stage or status.state}" for name, status in statuses]
        ended = sum(trial.state not in ("waiting", "running") for trial in self.trials)
        return f"{ended} of {len(self.trials)} trials ended" + (f"; {'; '.join(at_work)}" if at_work else "")


def _going_runs() -> dict[str, store.Run]:
    """Return the run of each experiment that waits or goes on, by its config's hash."""
    going: dict[str, store.Run] = {}
    for run in store.list_runs():
        if run.kind != "experiment" or run.status.state in store.TERMINAL:
            continue
        try:
            going.setdefault(parse_config(dict(run.config)).key, run)
        except FairsalError:  # of another version, or not ours
            continue
    return going


def _places(device: str) -> list[str]:
    if device != "auto":
        return [device]
    import torch  # seconds to import

    count = torch.cuda.device_count()
    return [f"cuda:{number}" for number in range(count)] or ["cpu"]
