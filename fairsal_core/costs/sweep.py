"""What a sweep takes: that of its experiments, of which those that are alike share a probe."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairsal_core.costs import experiment
from fairsal_core.costs.base import Cost, Probed, ReadFaces, there_is
from fairsal_core.experiments import Variant, plan_variants
from fairsal_core.hashing import hash_of
from fairsal_core.runs import processes
from fairsal_core.scaling import check_trials
from fairsal_core.settings import SweepConfig, checked_settings, plan_trials


@dataclass(frozen=True)
class SweepPaces:
    """What tells experiments apart that want a probe each -> its paces; bytes that a process holds which waits for them."""

    trials: dict[str, experiment.Paces]
    held: int = 0


def parse(content: Mapping[str, Any]) -> SweepConfig:
    """Return the sweep that a run's config describes."""
    return checked_settings(SweepConfig, dict(content))


def depends_on(config: SweepConfig) -> Any:
    """Return what the paces of a sweep depend on."""
    return [experiment.depends_on(trial) for trial in plan_trials(config)]


def probe(config: SweepConfig, read: ReadFaces) -> SweepPaces:
    """Try a second of each stage of each experiment that is not like one before."""
    trials = {hash_of(experiment.depends_on(trial)): trial for trial in plan_trials(config)}
    for trial in trials.values():
        read(trial.data)
    held = processes.peak_memory()  # before anything is tried
    return SweepPaces({key: experiment.probe(trial, read) for key, trial in trials.items()}, held)


def cost(config: SweepConfig, read: ReadFaces, probed: Probed[SweepPaces]) -> Cost:
    """Return what a sweep takes, its experiments one after the other on one device; what two share is trained once."""
    trained: dict[str, list[Variant]] = defaultdict(list)
    seconds = {"starting": probed.started}
    disk: dict[str, int] = {}
    memory: Mapping[str, int] = {}
    for number, trial in enumerate(check_trials(config, read), start=1):
        paces = probed.paces.trials[hash_of(experiment.depends_on(trial))]
        before = trained[hash_of([trial.data, trial.target, trial.confounder, trial.seeds])]
        own = experiment.cost(trial, read, Probed(paces, probed.memory, probed.started), before)
        before += [variant for variant in plan_variants(trial, read(trial.data).listed) if not variant.scheme]
        seconds[f"{number}: {trial.target} × {trial.confounder}"] = sum(own.seconds.values())
        disk = {
            what: max(disk.get(what, 0), size) if what == "pictures" else disk.get(what, 0) + size
            for what, size in own.disk.items()
        }
        memory = max(memory, own.memory, key=lambda held: sum(held.values()))
    return Cost(seconds, {**memory, **there_is({"the sweep itself": probed.paces.held})}, disk)
