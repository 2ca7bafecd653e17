"""A sweep: many experiments, each a run of its own, and one table of them all.

A trial is known by the hash of its config, which is part of its run's id: one that was finished before is not run again,
one that is still going (its sweep was killed, it was not) is waited for. So a killed sweep resumes by being started again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.experiments import launcher, store
from fairsal_core.experiments.config import ExperimentConfig, checked_settings, parse_config
from fairsal_core.experiments.pipeline import plan_variants, write_parquet
from fairsal_core.experiments.replication import best_quantiles, replication_table
from fairsal_core.experiments.reporting import Report
from fairsal_core.faces import CellCounts, feasible_scale, load_faces
from fairsal_core.files import read_json, write_json

TRIALS, TABLE, QUANTILES = "trials.json", "table.parquet", "quantiles.parquet"
_POLL_SECONDS = 0.5


class SweepConfig(BaseModel):
    """Many experiments: what they share, and in what they differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("sweep", min_length=1, max_length=40, description="what to call it")
    base: dict[str, Any] = Field(default_factory=dict, description="settings that all trials share")
    trials: tuple[dict[str, Any], ...] = Field(({},), min_length=1, description="settings of each trial")
    grid: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict, description="setting -> values; every trial is run with every combination"
    )
    fit: bool = Field(False, description="scale the counts of each trial down to what the faces allow")
    device: str = Field("auto", description="auto: every GPU, one trial each, or else the CPU")
    engine: str = Field("local", description="local: this machine; ray: a Ray cluster")
    address: str = Field("", description="the Ray cluster, HOST:PORT; by default the one on this machine")
    storage: str = Field(
        "", description="URL, such as s3://BUCKET/FOLDER, for nodes of a cluster that share no workspace"
    )


@dataclass(frozen=True)
class Trial:
    """One experiment of a sweep, and how it went."""

    key: str
    confounder: str
    run: str | None = None
    state: str = "waiting"
    error: str | None = None
    reused: bool = False


def plan_trials(sweep: SweepConfig) -> list[ExperimentConfig]:
    """Return the experiments of a sweep, each once.

    Raises
    ------
    FairsalError
        If the settings of a trial do not fit; it names the trial, and nothing has begun.
    """
    planned: dict[str, ExperimentConfig] = {}
    for number, settings in enumerate(_combinations(sweep), start=1):
        try:
            config = parse_config(settings)
        except FairsalError as error:
            raise FairsalError(f"Trial {number} of the sweep: {error}") from error
        planned.setdefault(config.key, config)
    return list(planned.values())


def check_trials(sweep: SweepConfig, report: Report) -> list[ExperimentConfig]:
    """Return the planned trials, scaled to the faces if the sweep wants that, after checking that the faces allow them."""
    checked = []
    for number, config in enumerate(plan_trials(sweep), start=1):
        faces = load_faces(config.data, report)
        if sweep.fit:
            available = CellCounts.of(faces.in_split("train"), config.target, config.confounder)
            scale = feasible_scale(config.counts, available)
            config = config.model_copy(update={"counts": config.counts.scaled(scale)})
        try:
            plan_variants(config, faces)
        except FairsalError as error:
            raise FairsalError(f"Trial {number} of the sweep ({config.confounder}): {error}") from error
        checked.append(config)
    return checked


def run_job(config: dict[str, Any], run: Path, report: Report) -> None:
    """Run the sweep that a run directory's config describes: the entry point of the worker."""
    run_sweep(checked_settings(SweepConfig, config), run, report)


def run_sweep(sweep: SweepConfig, run: Path, report: Report) -> None:
    """Run every trial that is not finished yet, and write the tables of all into the sweep's run directory.

    Writes `trials.json` (kept up to date), `table.parquet` (see `replication_table`) and `quantiles.parquet` (see
    `best_quantiles`). A trial that fails leaves the others alone.

    Raises
    ------
    FairsalError
        If a trial cannot work, before any begins; or if all of them failed.
    """
    report.stage("checking", share=0.05)
    configs = check_trials(sweep, report)
    report.stage("trials", share=0.93)
    engine = _engine(sweep, len(configs))
    pool = _Pool(engine, configs, run)
    try:
        pool.work(report)
    except BaseException:
        pool.cancel()
        raise
    finally:
        engine.close()
    report.stage("results", share=0.02)
    write_tables(configs, pool.trials, run)
    failed = [trial for trial in pool.trials if trial.state != "finished"]
    if len(failed) == len(configs):
        raise FairsalError(f"Every trial failed; the first: {failed[0].error}")
    report(1, 1, f"{len(configs) - len(failed)} of {len(configs)} trials finished")


def write_tables(configs: list[ExperimentConfig], trials: list[Trial], run: Path) -> None:
    """Write the tables of the trials that finished."""
    done = [
        (config, store.run_path(trial.run))
        for config, trial in zip(configs, trials, strict=True)
        if trial.run and trial.state == "finished"
    ]
    for name, table_of in ((TABLE, replication_table), (QUANTILES, best_quantiles)):
        tables = [table for config, path in done if not (table := table_of(config, path)).empty]
        write_parquet(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(), run / name)


def read_sweep(run: Path) -> tuple[list[Trial], pd.DataFrame, pd.DataFrame]:
    """Return the trials of a sweep's run directory, its table, and the best quantiles; the tables are empty until it ends."""
    try:
        trials = [Trial(**trial) for trial in read_json(run / TRIALS)]
    except (OSError, ValueError, TypeError) as error:
        raise FairsalError(f"The trials of {run.name} cannot be read ({error}).") from error
    table, quantiles = (
        pd.read_parquet(run / name) if (run / name).is_file() else pd.DataFrame() for name in (TABLE, QUANTILES)
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
    from fairsal_core.experiments.ray_engine import RayTrials

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
        self._known: dict[str, store.Run] = {}
        self._waiting: deque[int] = deque()

    def work(self, report: Report) -> None:
        """Go on until every trial has ended."""
        self._engine.find([trial.key for trial in self.trials])
        self._known = _known_runs()
        for number, trial in enumerate(self.trials):
            found = self._known.get(trial.key)
            if found and found.status.state == "finished":
                self._note(number, run=found.id, state="finished", reused=True)
            else:
                self._waiting.append(number)
        while self._waiting or self._at_work:
            free = [place for place in self._engine.places if place not in [at for at, _ in self._at_work.values()]]
            for place in free[: len(self._waiting)]:
                self._begin(self._waiting.popleft(), place)
            self._collect()
            report(self._done(), len(self.trials), self._message())
            time.sleep(_POLL_SECONDS)

    def cancel(self) -> None:
        """Stop what this sweep started; what it found going goes on."""
        self._engine.cancel(self._mine)
        self._collect()

    def _begin(self, number: int, place: str) -> None:
        config, found = self._configs[number], self._known.get(self.trials[number].key)
        if found:
            look: Look = partial(_look_at, found.path)
        else:
            begun = self._engine.start(config.model_dump(mode="json"), f"{config.confounder} {config.key}", place)
            self._mine.append(begun)
            look = partial(self._engine.look, begun)
        self._at_work[number] = (place, look)
        self._note(number, state="running", reused=bool(found))

    def _collect(self) -> None:
        for number, (_, look) in list(self._at_work.items()):
            run, status = look()
            self._seen[number] = status
            if status.state == "interrupted" and self.trials[number].key in self._known:
                # It was found going, and has gone the way of the sweep that began it.
                del self._known[self.trials[number].key]
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
        write_json(self._run / TRIALS, [asdict(trial) for trial in self.trials])

    def _done(self) -> float:
        ended = sum(trial.state not in ("waiting", "running") for trial in self.trials)
        return ended + sum(self._seen[number].fraction for number in self._at_work)

    def _message(self) -> str:
        statuses = [(self.trials[number].confounder, self._seen[number]) for number in self._at_work]
        at_work = [f"{name}: {status.message or status.stage or status.state}" for name, status in statuses]
        ended = sum(trial.state not in ("waiting", "running") for trial in self.trials)
        return f"{ended} of {len(self.trials)} trials ended" + (f"; {'; '.join(at_work)}" if at_work else "")


def _combinations(sweep: SweepConfig) -> Iterator[dict[str, Any]]:
    for trial in sweep.trials:
        for values in product(*sweep.grid.values()):
            settings = _merged(sweep.base, trial)
            for name, value in zip(sweep.grid, values, strict=True):
                outer, _, inner = name.rpartition(".")  # "training.epochs" is a setting of a setting
                settings = _merged(settings, {outer: {inner: value}} if outer else {name: value})
            yield settings


def _merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    nested = {
        name: {**settings[name], **value}
        for name, value in changes.items()
        if isinstance(value, dict) and isinstance(settings.get(name), dict)
    }
    return {**settings, **changes, **nested}


def _known_runs() -> dict[str, store.Run]:
    """Return the run of each experiment, by its config's hash, that is finished or, failing that, still going."""
    known: dict[str, store.Run] = {}
    for run in store.list_runs():
        if run.kind != "experiment" or (run.status.state in store.TERMINAL and run.status.state != "finished"):
            continue
        try:
            key = parse_config(dict(run.config)).key
        except FairsalError:  # of another version, or not ours
            continue
        if key not in known or known[key].status.state != "finished":
            known[key] = run
    return known


def _places(device: str) -> list[str]:
    if device != "auto":
        return [device]
    import torch  # seconds to import

    count = torch.cuda.device_count()
    return [f"cuda:{number}" for number in range(count)] or ["cpu"]
