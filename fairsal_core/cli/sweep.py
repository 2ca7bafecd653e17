"""`sweep`."""

import argparse
import json
from pathlib import Path
from typing import Any

from fairsal_core.classifiers import ClassifierTraining
from fairsal_core.cli.costing import add_cost, cost_outcome
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import tell_events
from fairsal_core.cli.settings import NESTED, add_settings, given_settings, read_config
from fairsal_core.errors import FairsalError
from fairsal_core.results import papers_format
from fairsal_core.runs import load_run, run_here
from fairsal_core.scaling import read_sweep
from fairsal_core.settings import SWEEPS, ExperimentConfig, SweepConfig, checked_settings, plan_trials, sweep_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", choices=sorted(SWEEPS), help="sweep to start from; the options below change it")
    parser.add_argument("--config", type=Path, help="JSON file with a sweep: name, base, trials, grid, fit")
    add_cost(parser)
    parser.add_argument(
        "--fit",
        action=argparse.BooleanOptionalAction,
        help="scale the counts of each trial down to what the faces allow (default: as the sweep says)",
    )
    parser.add_argument("--engine", default=argparse.SUPPRESS, help="local: this machine; ray: a Ray cluster")
    parser.add_argument(
        "--address", default=argparse.SUPPRESS, help="the Ray cluster, HOST:PORT (default: this machine's)"
    )
    parser.add_argument(
        "--storage", default=argparse.SUPPRESS, help="URL, such as s3://BUCKET/FOLDER, where nodes share no workspace"
    )
    add_settings(parser, ExperimentConfig, leave_out=NESTED)
    add_settings(parser.add_argument_group("training"), ClassifierTraining)


def do(options: argparse.Namespace) -> Outcome:
    sweep = _asked_for(options)
    plan_trials(sweep)
    content = sweep.model_dump(mode="json")
    if options.cost:
        return cost_outcome("sweep", content)
    done = load_run(run_here("sweep", content, name=sweep.name, listener=tell_events()))
    about = {"id": done.id, "folder": str(done.path), "state": done.status.state, "error": done.status.error}
    if done.status.state != "finished":
        return Outcome(about, f"{done.id}: {done.status.state}: {done.status.error or ''}", ok=False)
    trials, table, quantiles = read_sweep(done.path)
    lines = [f"{trial.confounder}: {trial.state} {trial.run} {trial.error or ''}" for trial in trials]
    tables = [papers_format(table), quantiles.round(3)]
    shown = [*(each.to_string(index=False) for each in tables if not each.empty), *lines]
    results = {
        "trials": [vars(trial) for trial in trials],
        "table": json.loads(table.to_json(orient="records")),
        "quantiles": json.loads(quantiles.to_json(orient="records")),
    }
    return Outcome({**about, **results}, "\n\n".join([*shown, f"{done.id} -> {done.path}"]))


def _asked_for(options: argparse.Namespace) -> SweepConfig:
    if not options.preset and not options.config:
        raise FairsalError("Say which sweep: --preset NAME, or --config FILE.")
    content: dict[str, Any] = sweep_settings(options.preset) if options.preset else {}
    content.update(read_config(options.config) if options.config else {})
    given = given_settings(options, ExperimentConfig, leave_out=NESTED)
    training = given_settings(options, ClassifierTraining)
    given |= {"training": training} if training else {}
    if "device" in given:
        content["device"] = given.pop("device")
    content |= {name: value for name, value in vars(options).items() if name in ("engine", "address", "storage")}
    if options.fit is not None:
        content["fit"] = options.fit
    # What is given here is meant for every trial, whatever its own settings say.
    content["trials"] = [_over(trial, given) for trial in content.get("trials", [{}])]
    content["grid"] = {name: values for name, values in content.get("grid", {}).items() if name not in given}
    return checked_settings(SweepConfig, content)


def _over(settings: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return settings with others put over them, those of the training one by one."""
    training = {**settings.get("training", {}), **given.get("training", {})}
    return {**settings, **given, **({"training": training} if training else {})}
