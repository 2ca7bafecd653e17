"""Options that several commands have."""

import argparse
from pathlib import Path


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add `--data`."""
    parser.add_argument(
        "--data", default="demo", help="'demo' for the drawn faces, or a folder of faces and their labels"
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")


def add_view(parser: argparse.ArgumentParser) -> None:
    """Add `--view`, of rates by group."""
    parser.add_argument(
        "--view",
        choices=("natural", "equal", "population"),
        default="natural",
        help="of groups: as the judged faces are, both labels of the target alike, or as common as in their split of the set",
    )


def source(data: str) -> str:
    """Return the word `demo`, or a folder's whole path, which means the same to a worker started elsewhere."""
    from fairsal_core.drawing import DEMO

    return data if data == DEMO else str(Path(data).expanduser().resolve())
