"""`demo-data`."""

import argparse
from pathlib import Path

from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, help="folder to draw into (default: the workspace's)")
    parser.add_argument("--count", type=int, default=6000, help="how many faces")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same faces")


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.drawing import demo_folder, draw_demo_faces

    folder = draw_demo_faces(options.out or demo_folder(), options.count, options.seed, show_progress())
    about = {"folder": str(folder), "faces": options.count, "seed": options.seed}
    return Outcome(about, f"{options.count} faces in {folder}")
