"""`train-regions`; under torchrun every process gets here, and the first one leads."""

import argparse
from collections.abc import Mapping
from itertools import starmap
from pathlib import Path
from typing import Any

import torch

from fairsal_core.cli.costing import add_cost, cost_outcome
from fairsal_core.cli.options import add_data, add_device, source
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import tell_events
from fairsal_core.cli.settings import add_settings, given_settings
from fairsal_core.device import pick_device, process_number
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.experiments import ALL, help_to_train
from fairsal_core.files import read_json, safe_name
from fairsal_core.regions import REGION_PRESETS, Atlas, Quality, RegionClassifier, RegionTraining, is_atlas, joined
from fairsal_core.runs import load_run, run_here
from fairsal_core.settings import REGIONS, RegionJob, checked_settings

ATLAS = "atlas"  # what its files are called


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument(
        "--attribute",
        required=True,
        help="attribute to predict, or 'all': an atlas, one network for every attribute that varies",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.safetensors and NAME.json")
    parser.add_argument("--name", help="what to call the files; by default like the attribute, or 'atlas'")
    parser.add_argument("--half", action="store_true", help="write the numbers in 16 bits, at half the size")
    add_device(parser)
    add_cost(parser)
    parser.add_argument(
        "--preset",
        choices=sorted(REGION_PRESETS),
        default="default",
        help="settings to start from; 'paper' is De Coninck's",
    )
    add_settings(parser, RegionTraining)


def do(options: argparse.Namespace) -> Outcome:
    with joined(options.device):
        if process_number() == 0:
            return _trained(options)
        help_to_train(pick_device(options.device))
        return Outcome({}, "")


def _trained(options: argparse.Namespace) -> Outcome:
    given = {**REGION_PRESETS[options.preset], **given_settings(options, RegionTraining)}
    training = checked_settings(RegionTraining, given)
    job = RegionJob(data=source(options.data), attribute=options.attribute, training=training, device=options.device)
    content = job.model_dump(mode="json")
    if options.cost:
        return cost_outcome(REGIONS, content)
    run = load_run(run_here(REGIONS, content, name=f"regions {job.attribute}", listener=tell_events()))
    _check_ended(run)
    weights = read_json(run.path / "regions.json")["weights"]
    name = options.name or (ATLAS if job.attribute == ALL else safe_name(job.attribute))
    dtype = torch.float16 if options.half else torch.float32
    made = Atlas.load(weights) if is_atlas(weights) else RegionClassifier.load(weights)
    kept = made.save(options.out / name, dtype)
    judged = made.heads if isinstance(made, Atlas) else (made,)
    metrics = {each.attribute: each.metrics for each in judged}
    about = {attribute: {"weights": str(kept), "run": run.id, **each} for attribute, each in metrics.items()}
    return Outcome({"trained": about}, "\n".join(starmap(_line, about.items())))


def _line(attribute: str, about: Mapping[str, Any]) -> str:
    if "faces" not in about:
        return f"{attribute}: not judged, as no face is held out for validation -> {about['weights']}"
    accuracies = (
        f"patch accuracy {about['patch_accuracy']}, by vote {about['vote_accuracy']}, always the commoner label "
        f"{about['majority']}"
    )
    return f"{attribute}: {Quality.from_json(about).told(attribute)} ({accuracies}) -> {about['weights']}"


def _check_ended(run: Any) -> None:
    """Raise what ended a run before it was finished."""
    if run.status.state == "cancelled":
        raise CancelledError
    if run.status.state != "finished":
        raise FairsalError(f"{run.id}: {run.status.error or run.status.state}")
