"""How long an experiment will take, judged by the pace of earlier runs."""

from statistics import median
from typing import NamedTuple

from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import store
from fairsal_core.experiments.config import ExperimentConfig, parse_config
from fairsal_core.experiments.partner import has_partner
from fairsal_core.experiments.variants import Variant, images_trained

PACE = "images_per_second"


class Pace(NamedTuple):
    """Images a second in training, and the run that trained so fast."""

    images_per_second: float
    run: str


def recent_pace(config: ExperimentConfig) -> Pace | None:
    """Return the pace of the newest finished run with this audited classifier and device; None where there is none."""
    for run in store.list_runs():
        if run.kind != "experiment" or run.status.state != "finished":
            continue
        try:
            theirs = parse_config(dict(run.config))
        except FairsalError:  # of another version
            continue
        if theirs.training.classifier != config.training.classifier or theirs.device != config.device:
            continue
        paces = [event.numbers[PACE] for event in store.read_events(run.path)[0] if PACE in event.numbers]
        if paces:
            return Pace(median(paces), run.id)
    return None


def training_seconds(config: ExperimentConfig, variants: list[Variant], images_per_second: float) -> float:
    """Return how long all variants and seeds train at a pace, if no earlier run left any of them."""
    images = images_trained(config, variants)
    at_once = 2 if has_partner(images, pick_device(config.device).type) else 1
    return images / images_per_second / at_once
