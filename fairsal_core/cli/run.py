"""`run`."""

import argparse
from pathlib import Path
from typing import Any

from fairsal_core.classifiers import ClassifierTraining
from fairsal_core.cli.costing import add_cost, cost_outcome
from fairsal_core.cli.outcome import Outcome, run_outcome
from fairsal_core.cli.progress import tell_events
from fairsal_core.cli.settings import NESTED, add_settings, given_settings, read_config
from fairsal_core.runs import load_run, run_here
from fairsal_core.settings import (
    EXPERIMENT,
    PRESETS,
    AttentionSettings,
    ExperimentConfig,
    parse_config,
    preset_settings,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset", choices=sorted(PRESETS), help="settings to start from; the options below change them"
    )
    parser.add_argument("--config", type=Path, help="JSON file with settings, such as an earlier run's")
    parser.add_argument("--name", help="a name for the run")
    add_cost(parser)
    add_settings(parser, ExperimentConfig, leave_out=NESTED)
    add_settings(parser.add_argument_group("training"), ClassifierTraining)
    add_settings(parser.add_argument_group("attention"), AttentionSettings)


def do(options: argparse.Namespace) -> Outcome:
    settings: dict[str, Any] = preset_settings(options.preset) if options.preset else {}
    if options.config:
        settings.update(read_config(options.config))
    settings.update(given_settings(options, ExperimentConfig, leave_out=NESTED))
    settings["training"] = {**settings.get("training", {}), **given_settings(options, ClassifierTraining)}
    settings["attention"] = {**settings.get("attention", {}), **given_settings(options, AttentionSettings)}
    config = parse_config(settings)
    content = config.model_dump(mode="json")
    if options.cost:
        return cost_outcome(EXPERIMENT, content)
    path = run_here(EXPERIMENT, content, name=options.name, listener=tell_events())
    return run_outcome(load_run(path))
