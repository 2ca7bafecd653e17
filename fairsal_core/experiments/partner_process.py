"""What a run's `partner` does: `python -m fairsal_core.experiments.partner_process RUN PARENT`."""

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from fairsal_core.device import pick_device
from fairsal_core.errors import CancelledError
from fairsal_core.experiments.experiment import Experiment
from fairsal_core.experiments.planning import with_training
from fairsal_core.experiments.training import train_variant
from fairsal_core.runs import JobProgress, append_event, load_run, processes
from fairsal_core.settings import ExperimentConfig, parse_config


def main(argv: Sequence[str]) -> None:
    """Train from the last variant on, until all are trained or the run's own process is gone."""
    run, parent = Path(argv[0]), int(argv[1])
    progress = JobProgress(record=partial(append_event, run), cancelled=lambda: not processes.has_parent(parent))
    with suppress(CancelledError):
        train_from_the_last(parse_config(dict(load_run(run).config)), run, progress)


def train_from_the_last(config: ExperimentConfig, run: Path, progress: JobProgress) -> None:
    """Train the variants of an experiment from the last seed's last on, and leave them to the run that wants them."""
    experiment = Experiment.begin(config, run, pick_device(config.device), progress)
    experiment.find_regions()
    for seed in reversed(config.seeds):
        progress.stage(f"attribution maps, seed {seed}", share=0.0)
        experiment.map_subset(seed)
        for variant in reversed(with_training(experiment.plan.variants)):
            progress.stage(f"{variant.name}, seed {seed}", share=0.0)
            train_variant(experiment, variant, seed)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    main(sys.argv[1:])
