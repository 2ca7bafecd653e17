"""`scan`."""

import argparse
import json
from pathlib import Path
from typing import Any

from fairsal_core.cli.options import add_view, source
from fairsal_core.cli.outcome import Outcome
from fairsal_core.errors import FairsalError, unknown_name

_SHOWN = (
    *("attribute", "value", "low", "high", "own", "own_low", "n", "needed", "adjusted_p", "verdict", "family"),
    *("with_target", "worst_cell"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--run", help="a finished run, whose predictions are scanned")
    given.add_argument("--predictions", type=Path, help="a table with a column of file names, and scores or decisions")
    parser.add_argument("--data", help="with --predictions: 'demo', or a folder of faces and their labels")
    parser.add_argument("--target", help="with --predictions: what is predicted")
    parser.add_argument(
        "--columns",
        default="",
        help="with --predictions: what columns are, as ROLE=COLUMN,...; by default it is looked at",
    )
    parser.add_argument(
        "--scores",
        choices=("probabilities", "logits"),
        default="probabilities",
        help="with --predictions: what scores are",
    )
    parser.add_argument("--variant", help="of the run, or model of the table (default: the first)")
    parser.add_argument("--seed", type=int, help="of the variant (default: the first)")
    parser.add_argument("--treated-by", help="the scheme that the faces are treated by (default: clean faces)")
    parser.add_argument("--depth", type=int, choices=(1, 2), default=1, help="2: look at crossings of two as well")
    parser.add_argument(
        "--groups", nargs="+", metavar="ATTRIBUTE", help="also show every rate by group of these attributes, crossed"
    )
    add_view(parser)
    parser.add_argument("--cohort", help="look only at the faces of a cohort that was saved by this name")


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.faces import list_faces
    from fairsal_core.scan import attributes_of, groups_of, read_cohort, scan

    data, judged = _of_run(options) if options.run else _of_table(options)
    faces = list_faces(data)
    if options.cohort:
        judged = judged.only(frozenset(read_cohort(options.cohort).faces))
    table = scan(judged.yes, judged.has, attributes_of(faces, judged), threshold=None, depth=options.depth)
    about: dict[str, Any] = {
        "subject": judged.name,
        "target": judged.target,
        "data": data,
        "faces": len(judged.faces),
        "cohort": options.cohort,
        "rows": json.loads(table.to_json(orient="records")),
    }
    shown = f"{table[list(_SHOWN)].round(3).to_string(index=False)}\n\n{_told(table, judged.name, len(judged.faces))}"
    if options.groups:
        groups = groups_of(judged, faces, options.groups, options.view)
        about["groups"] = json.loads(groups.table.to_json(orient="records"))
        about["spreads"] = {name: spread._asdict() for name, spread in groups.spreads.items()}
        about["left_out"] = list(groups.left_out)
        wide = groups.table.pivot(index="group", columns="metric", values="value").round(3)
        shown += f"\n\n{wide.to_string()}\n{groups.left_out_note}"
    return Outcome(about, shown.rstrip())


def _told(table: Any, name: str, faces: int) -> str:
    from fairsal_core.scan import ALIKE, CANNOT_SAY, DIFFERS

    counts = ", ".join(f"{int((table['verdict'] == each).sum())} {each}" for each in (DIFFERS, ALIKE, CANNOT_SAY))
    return f"{name}: {len(table)} looked at on {faces:,} faces, of which {counts}."


def _of_run(options: argparse.Namespace) -> tuple[str, Any]:
    from fairsal_core.results import CLEAN, TREATED, read_predictions
    from fairsal_core.runs import load_run, run_path
    from fairsal_core.scan import data_of, judged_by, subjects_of

    if options.data or options.target:
        raise FairsalError("--data and --target are for --predictions: a run knows its own.")
    run = load_run(run_path(options.run))
    wanted = {
        "variant": options.variant,
        "seed": options.seed,
        "evaluation": TREATED if options.treated_by else CLEAN,
        "treated_by": options.treated_by,
    }
    known = subjects_of(read_predictions(run.path))
    fitting = [
        each for each in known if all(value is None or getattr(each, name) == value for name, value in wanted.items())
    ]
    if not fitting:
        raise FairsalError(
            f"Run {run.id} has no such predictions; it has those of {'; '.join(each.name for each in known)}."
        )
    return data_of(run), judged_by(run, fitting[0])


def _of_table(options: argparse.Namespace) -> tuple[str, Any]:
    from fairsal_core.faces import list_faces
    from fairsal_core.results import TableOf
    from fairsal_core.scan import judged_in
    from fairsal_core.settings import columns_in

    if not options.data or not options.target:
        raise FairsalError(
            "With --predictions give --data, the faces that they are about, and --target, what is predicted."
        )
    data = source(options.data)
    asked = TableOf(options.target, columns_in(options.columns), options.scores)
    models = {each.name: each for each in judged_in(options.predictions, list_faces(data), asked)}
    wanted = options.variant or next(iter(models))
    if wanted not in models:
        raise unknown_name(f"model of {options.predictions.name}", wanted, list(models))
    return data, models[wanted]
