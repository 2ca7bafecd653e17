"""`judge-regions`."""

import argparse
from pathlib import Path

import pandas as pd

from fairsal_core.cli.options import add_data, add_device, source
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.faces import load_faces
from fairsal_core.regions import judge_atlas, open_atlas

_COLUMNS = ["faces", "base_rate", "auc", "auc_low", "auc_high", "balanced_accuracy", "bits", "ece", "ece_at_base_rate"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("weights", type=Path, help="region classifier or atlas, as train-regions writes it")
    add_data(parser)
    parser.add_argument("--split", default="test", choices=("train", "val", "test"), help="split that judges it")
    parser.add_argument(
        "--chosen-on",
        default="val",
        choices=("train", "val", "test"),
        help="split on which the best position is looked for",
    )
    parser.add_argument("--images", type=int, default=0, help="at most so many faces of each split, drawn at random")
    add_device(parser)


def do(options: argparse.Namespace) -> Outcome:
    if options.split == options.chosen_on:
        raise FairsalError("The faces on which the best position is looked for cannot judge it: name two splits.")
    atlas = open_atlas(options.weights).to(pick_device(options.device))
    faces = load_faces(source(options.data), show_progress())
    chosen_on, judged = (faces.in_split(split) for split in (options.chosen_on, options.split))
    if options.images > 0:
        chosen_on, judged = chosen_on.sample(options.images), judged.sample(options.images)
    found = judge_atlas(atlas, chosen_on, judged, show_progress())
    table = pd.DataFrame.from_dict(found, orient="index")[_COLUMNS]
    mean = {name: round(float(table[name].mean()), 4) for name in ("auc", "balanced_accuracy", "bits")}
    worst = {name: round(float(table[name].max()), 4) for name in ("ece", "ece_at_base_rate")}
    left_out = [name for name in atlas.attributes if name not in found]
    shown = table.round(3).to_string()
    many = f"{len(found)} attribute{'s' if len(found) > 1 else ''}"
    said = [
        f"{many} on {len(judged):,} faces of the {options.split} split, positions chosen on {len(chosen_on):,} of "
        f"{options.chosen_on}: mean AUC {mean['auc']:.3f}, largest ECE {worst['ece']:.3f} as it is and "
        f"{worst['ece_at_base_rate']:.3f} at these faces' base rates."
    ]
    said += [f"Not annotated here, or of one class: {', '.join(left_out)}."] if left_out else []
    about = {"attributes": found, "mean": mean, "largest": worst, "left_out": left_out}
    return Outcome(about, "\n".join([shown, "", *said]))
