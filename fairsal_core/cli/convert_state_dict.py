"""`convert-state-dict`."""

import argparse
from pathlib import Path

from fairsal_core.cli.outcome import Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a state dict that torch.save wrote (.pt, .pth, .ckpt, .bin)")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.classifiers import convert_state_dict

    shapes = convert_state_dict(options.file, options.out)
    about = {"file": str(options.out), "tensors": {name: list(shape) for name, shape in shapes.items()}}
    return Outcome(about, f"{len(shapes)} tensors -> {options.out}")
