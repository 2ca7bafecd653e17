"""`report`."""

import argparse
from pathlib import Path

from fairsal_core.cli.options import add_view
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="a finished run")
    parser.add_argument("--out", type=Path, help="folder to write into (default: the run's own folder, report/)")
    parser.add_argument(
        "--faces",
        action=argparse.BooleanOptionalAction,
        help="show test faces that changed sides; by default only where faces are known to be drawn",
    )

    parser.add_argument(
        "--groups",
        nargs="+",
        default=[],
        metavar="ATTRIBUTE",
        help="every rate by group of these attributes, crossed (default: the groups that were put into the report)",
    )
    add_view(parser)


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.reports import write_report
    from fairsal_core.runs import load_run, run_path

    path = run_path(options.id)
    written = write_report(
        load_run(path),
        options.out or path / "report",
        faces=options.faces,
        protected=options.groups,
        view=options.view,
        progress=show_progress(),
    )
    about = {
        "report": str(written.html),
        "json": str(written.twin),
        "tables": [str(table) for table in written.tables],
        "model_cards": [str(card) for card in written.cards],
    }
    return Outcome(
        about,
        f"Report of {options.id} -> {written.html}, {len(written.tables)} tables, {len(written.cards)} model cards",
    )
