"""`mitigate`."""

import argparse
from dataclasses import replace

from fairsal_core.classifiers import classifiers_folder
from fairsal_core.cli.costing import add_cost, cost_outcome
from fairsal_core.cli.options import source
from fairsal_core.cli.outcome import Outcome, run_outcome
from fairsal_core.cli.progress import show_progress, tell_events
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import faces_to_mitigate, mitigate_imported, mitigation_of, unmet_needs
from fairsal_core.faces import load_faces
from fairsal_core.mitigation import METHODS
from fairsal_core.results import read_outcomes
from fairsal_core.runs import load_run, run_here, run_path
from fairsal_core.settings import EXPERIMENT, MITIGATION, MethodChoice, MitigationJob, checked_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", help="a finished experiment")
    parser.add_argument(
        "--subject", help="instead of a run: the name or digest of an imported classifier; it is stored beside it"
    )
    parser.add_argument(
        "--data", default="demo", help="of a subject: 'demo' or a folder of faces with train and validation splits"
    )
    parser.add_argument("--target", help="of a subject: the attribute that it predicts")
    parser.add_argument("--confounder", help="of a subject: the attribute that it should not rely on")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=argparse.SUPPRESS,
        metavar="METHOD",
        help=f"{', '.join(METHODS)}; with settings as METHOD:setting=value,..., several values as 1+2+3 (default: all that fit)",
    )
    parser.add_argument("--mitigation-faces", type=int, help="faces to learn from (default: as the run says)")
    parser.add_argument("--name", help="a name for the new run")
    add_cost(parser)


def do(options: argparse.Namespace) -> Outcome:
    if (options.run is None) == (options.subject is None):
        raise FairsalError("Say what to mitigate: a finished run, or --subject with an imported classifier.")
    return _of_run(options) if options.subject is None else _of_subject(options)


def _of_subject(options: argparse.Namespace) -> Outcome:
    if not (options.target and options.confounder):
        raise FairsalError(
            "--subject needs --target and --confounder: what it predicts, and what it should not rely on."
        )
    job = checked_settings(
        MitigationJob,
        {
            "subject": options.subject,
            "data": source(options.data),
            "target": options.target,
            "confounder": options.confounder,
            "methods": [
                checked_settings(MethodChoice, method) for method in getattr(options, "methods", None) or METHODS
            ],
            **({"faces": options.mitigation_faces} if options.mitigation_faces else {}),
        },
    )
    if options.cost:
        return cost_outcome(MITIGATION, job.model_dump(mode="json"))
    faces = load_faces(job.data, show_progress()).with_label(job.target, job.confounder)
    chosen = faces_to_mitigate(faces, job.target, job.confounder, job.faces)
    made = mitigate_imported(job.subject, chosen, job.methods, pick_device(job.device), show_progress())
    about = [
        {
            "method": each.choice.name,
            "outcome": each.outcome,
            "reason": each.reason,
            "digest": each.stored.digest if each.stored else None,
            "folder": str(classifiers_folder() / each.stored.digest) if each.stored else None,
        }
        for each in made
    ]
    lines = [
        f"{each['method']}: {each['outcome']}{': ' + str(each['reason']) if each['reason'] else ''}"
        f"{' -> ' + str(each['folder']) if each['folder'] else ''}"
        for each in about
    ]
    said = f"learned from {len(chosen.fit)} faces of the train split, chosen on {len(chosen.validation)} of the validation split"
    return Outcome(
        {"subject": options.subject, "fit": len(chosen.fit), "validation": len(chosen.validation), "methods": about},
        "\n".join([*lines, "", f"{options.subject}: {said}"]),
        ok=any(each["folder"] for each in about),
    )


def _of_run(options: argparse.Namespace) -> Outcome:
    parent = load_run(run_path(options.run))
    methods = getattr(options, "methods", None) or [name for name in METHODS if name not in unmet_needs(parent)]
    config = mitigation_of(parent, methods, options.mitigation_faces)
    content = config.model_dump(mode="json")
    if options.cost:
        return cost_outcome(EXPERIMENT, content)
    name = options.name or f"{parent.name or parent.id}, mitigated"
    done = load_run(run_here(EXPERIMENT, content, name=name, listener=tell_events()))
    outcome = run_outcome(done)
    outcomes = read_outcomes(done.path)
    lines = [
        f"{each.variant}, seed {each.seed}: {each.outcome} in {each.seconds:.0f} s{': ' + each.reason if each.reason else ''}"
        for each in outcomes
    ]
    told = [{name: value for name, value in vars(each).items() if name != "classifier"} for each in outcomes]
    return replace(
        outcome,
        about={**outcome.about, "parent": parent.id, "methods": told},
        shown="\n".join([*lines, "", outcome.shown]),
    )
