"""What a run's `partner` does: `python -m fairsal_core.experiments.backwards RUN PARENT`."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from fairsal_core.device import pick_device
from fairsal_core.errors import CancelledError
from fairsal_core.experiments import store
from fairsal_core.experiments.config import ExperimentConfig, parse_config
from fairsal_core.experiments.pipeline import find_validation, maps_of, plan_variants, set_up
from fairsal_core.experiments.reporting import Report
from fairsal_core.experiments.variants import train_variant, with_training
from fairsal_core.faces import load_faces


def main(argv: Sequence[str]) -> None:
    """Train from the last variant on, until all are trained or the run's own process is gone."""
    run, parent = Path(argv[0]), int(argv[1])
    report = Report(record=partial(store.append_event, run), cancelled=lambda: os.getppid() != parent)
    with suppress(CancelledError):
        train_backwards(parse_config(dict(store.load_run(run).config)), report)


def train_backwards(config: ExperimentConfig, report: Report) -> None:
    """Train the variants of an experiment from the last seed's last on, and leave them to the run that wants them."""
    faces = load_faces(config.data, report)
    variants = plan_variants(config, faces)
    experiment = set_up(config, faces, find_validation(config, faces), pick_device(config.device), report)
    for seed in reversed(config.seeds):
        maps = maps_of(experiment, seed, share=0.0)
        for variant in reversed(with_training(variants)):
            report.stage(f"{variant.name}, seed {seed}", share=0.0)
            train_variant(experiment, variant, seed, maps)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    main(sys.argv[1:])
