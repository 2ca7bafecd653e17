"""The commands that there are."""

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from fairsal_core.cli.outcome import Outcome


class Implementation(Protocol):
    """What the module of a command has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's options; `--json` is there."""

    def do(self, options: argparse.Namespace) -> Outcome:
        """Do it, with progress on stderr, or raise FairsalError with one sentence on what does not fit."""


@dataclass(frozen=True)
class Command:
    """A command: its name, which is its module's too, and what is said of it."""

    name: str
    description: str
    together: bool = False  # whether torchrun may start it

    def implementation(self) -> Implementation:
        """Import the command's module, and with it what its options need: for many of them that is torch."""
        return cast(Implementation, import_module(f"{__package__}.{self.name.replace('-', '_')}"))


COMMANDS = {
    command.name: command
    for command in (
        Command("demo-data", "Draw the demo faces, in CelebA's layout."),
        Command(
            "align",
            "Bring the faces of a folder of photos into CelebA's frame, and say in which groups they were missed.",
        ),
        Command("data", "Look at a folder of faces: its columns, twelve rows, its groups; audit it; unpack it."),
        Command("pack", "Decode every image once into the memory-mapped cache."),
        Command(
            "train-regions",
            "Train a region classifier: one patch predicts a label of the whole face.",
            together=True,
        ),
        Command(
            "judge-regions",
            "Judge a region classifier, or an atlas, on the faces of a folder: AUC, balanced accuracy, bits, calibration.",
        ),
        Command("attribute", "Map where in one image, or on average, an attribute can be read off."),
        Command("run", "Run an experiment: train every variant, evaluate it clean and treated."),
        Command("audit", "Audit the predictions of any classifier: cells, groups, differences, with nothing trained."),
        Command(
            "mitigate",
            "Apply mitigation methods to the original of a finished run: a new run with its variants and the methods'.",
        ),
        Command("explain", "Explain the classifiers of a finished run, and measure their attention."),
        Command("scan", "Look at every attribute: by which does a classifier err differently, and how sure is that."),
        Command(
            "import-classifier",
            "Import a classifier from elsewhere: read, compared with its library, stored, examined.",
        ),
        Command(
            "convert-state-dict", "Write a pickled state dict as safetensors, on the machine of whoever trained it."
        ),
        Command("sweep", "Run many experiments, reuse those that are finished, and print one table of all."),
        Command("cluster", "Ask a Ray cluster for its nodes and its queue."),
        Command("runs", "List the runs, or show, cancel, resume or delete one."),
        Command("report", "Write a finished run as one HTML file, with its tables and model cards."),
        Command("mirror", "Copy a finished run to an MLflow server: settings, curves, tables, report and weights."),
        Command("extensions", "List what installed packages add, and what was left out and why."),
        Command("serve", "Start the dashboard, from a checkout."),
    )
}
