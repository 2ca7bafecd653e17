"""`align`."""

import argparse
from pathlib import Path
from typing import Any

from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress

_SHOWN = 12  # groups


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="folder of photos, or a set of faces with its tables")
    parser.add_argument("--out", type=Path, required=True, help="folder for the aligned ones; begun before, it goes on")
    parser.add_argument(
        "--stretch",
        action="store_true",
        help="the pictures are the frame squeezed to another shape, such as 128 x 128: stretch them to 178 x 218, move no face",
    )


def do(options: argparse.Namespace) -> Outcome:
    import torch

    from fairsal_core.faces import align_folder, labelled_folder

    torch.set_num_threads(1)  # the pictures go to all cores, each to one
    folder = options.folder.expanduser().resolve()
    table = align_folder(folder, options.out, show_progress(), stretch=options.stretch)
    states = {str(state): int(count) for state, count in table["state"].value_counts().items()}
    faces = None if options.stretch else labelled_folder(folder)  # where no face was looked for none was missed
    groups = [] if faces is None else missed_by_group(table, faces)
    about = {
        "out": str(options.out.expanduser().resolve()),
        "pictures": len(table),
        "states": states,
        "several_faces": int((table["faces"] > 1).sum()),
        "missed_by_group": groups,
        "unreadable": dict(_reasons(table)),
    }
    return Outcome(about, _in_words(about))


def missed_by_group(table: Any, faces: Any) -> list[dict[str, Any]]:
    """Return, for each value of each label, in how many pictures no face was found, with a 95% interval, the most first.

    Parameters
    ----------
    table : pandas.DataFrame
        As `align_folder` gives it.
    faces : FaceDataset
        Of the same folder.
    """
    from fairsal_core.metrics import wilson

    read = (table["state"] != "unreadable").to_numpy()
    missed = (table["state"] == "no face").to_numpy()
    rows = []
    for attribute in faces.attributes.columns:
        codes, classes = faces.classes(attribute)
        for code, name in enumerate(classes):
            members = read & (codes == code)
            count, without = int(members.sum()), int((members & missed).sum())
            if count:
                low, high = wilson(without, count)
                rows.append(
                    {
                        "attribute": str(attribute),
                        "group": name,
                        "pictures": count,
                        "without_a_face": without,
                        "rate": without / count,
                        "low": low,
                        "high": high,
                    }
                )
    return sorted(rows, key=lambda row: (-row["low"], -row["rate"]))


def _reasons(table: Any) -> Any:
    unreadable = table[table["state"] == "unreadable"]
    return zip(unreadable["image"], unreadable["reason"], strict=True)


def _in_words(about: dict[str, Any]) -> str:
    states = ", ".join(f"{count:,} {state}" for state, count in about["states"].items())
    lines = [f"{about['pictures']:,} pictures: {states} -> {about['out']}"]
    if about["several_faces"]:
        lines.append(f"{about['several_faces']:,} show several faces, of which the largest was taken.")
    missed = [row for row in about["missed_by_group"] if row["without_a_face"]]
    if missed:
        lines += ["", "Groups in which faces were most often not found (with 95% intervals):"]
        lines += [
            f"  {row['group']:28} {row['without_a_face']:6,} of {row['pictures']:7,}  {row['rate']:6.1%}  "
            f"[{row['low']:.1%}, {row['high']:.1%}]"
            for row in missed[:_SHOWN]
        ]
        lines.append("What is left out is no random part of the set: a miss is a bias too.")
    return "\n".join([*lines, *about["unreadable"].values()])
