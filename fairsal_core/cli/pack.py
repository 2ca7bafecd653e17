"""`pack`."""

import argparse

from fairsal_core.cli.options import add_data
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.faces import frame_notice, list_faces, load_faces, undecodable_files
    from fairsal_core.home import cache_folder

    faces = load_faces(options.data, show_progress()).readable
    skipped = undecodable_files(list_faces(options.data), cache_folder())
    notice = frame_notice(faces, cache_folder())  # which was told on stderr
    said = [*faces.notes, *skipped.values()]
    lines = [f"{len(faces)} faces packed, {len(skipped)} left out", *said]
    told = {"faces": len(faces), "skipped": skipped, "notes": list(faces.notes), "notice": notice}
    return Outcome(told, "\n".join(lines))
