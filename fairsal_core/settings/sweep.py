"""What a sweep is: the experiments it is made of, each once."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from pydantic import Field

from fairsal_core.errors import FairsalError
from fairsal_core.settings.base import FrozenSettings
from fairsal_core.settings.experiment import ExperimentConfig, parse_config


class SweepConfig(FrozenSettings):
    """Many experiments: what they share, and in what they differ."""

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
