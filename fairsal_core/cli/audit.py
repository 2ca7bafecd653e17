"""`audit`."""

import argparse
from dataclasses import replace
from typing import Any

from fairsal_core.cli.costing import add_cost, cost_outcome
from fairsal_core.cli.options import add_data, add_view, source
from fairsal_core.cli.outcome import Outcome, run_outcome
from fairsal_core.cli.progress import tell_events
from fairsal_core.cli.settings import add_settings, given_settings
from fairsal_core.runs import Run, RunFiles, load_run, read_content, run_here
from fairsal_core.settings import AUDIT, AuditConfig, parse_audit

# Named here, since the settings that they belong to import torch, which predictions alone do not need.
_OF_CLASSIFIERS: dict[str, tuple[str | None, str]] = {
    "subjects": (
        "+",
        "RUN:VARIANT of a finished experiment, with #SEED for another than its first; or the name or digest of an imported one",
    ),
    "schemes": ("*", "how regions are hidden, as SCHEME@QUANTILE; nothing for no check (default: general_mask@0.7)"),
    "explainers": ("+", "explainers, as METHOD or METHOD:setting=value; none for none (default: lrp)"),
    "explained_faces": (None, "test faces to explain, equally many of each cell (default: 64)"),
    "roi": (None, "region of interest: auto, region_map@QUANTILE, preset, parts or x,y,width,height (default: auto)"),
    "device": (None, "auto, cpu, cuda or cuda:1 (default: auto)"),
    "engine": (
        None,
        "ray: faces are scored in parts, and classifiers explained, on a Ray cluster (default: local)",
    ),
    "address": (None, "the Ray cluster, HOST:PORT (default: this machine's)"),
    "storage": (None, "URL, such as s3://BUCKET/FOLDER, where nodes share no workspace"),
}
_OTHERWISE = ("data", "target", "confounder", "test_split", "seeds", "device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data(parser)
    parser.add_argument("--target", required=True, help="attribute that the classifier predicts")
    parser.add_argument(
        "--protected",
        "--confounder",
        dest="confounder",
        required=True,
        metavar="ATTRIBUTE",
        help="attribute that it should not rely on: Male, race=Black against the rest, or race with all its values",
    )
    parser.add_argument("--name", help="a name for the run")
    add_cost(parser)
    parser.add_argument(
        "--groups",
        nargs="+",
        metavar="ATTRIBUTE",
        help="also every rate by group of these attributes, crossed, shown and kept for the report",
    )
    add_view(parser)
    parser.add_argument(
        "--split", "--test-split", dest="split", default="test", choices=("test", "val", "train", "all"),
        help="faces that are judged on: of a split, or of all",
    )  # fmt: skip
    add_settings(parser, AuditConfig, leave_out=_OTHERWISE)
    own = parser.add_argument_group("classifiers", "instead of predictions, or beside them")
    for name, (several, said) in _OF_CLASSIFIERS.items():
        flags = [f"--{name.replace('_', '-')}", *(["--subject"] if name == "subjects" else [])]
        own.add_argument(*flags, dest=name, nargs=several, metavar=name.upper(), default=argparse.SUPPRESS, help=said)


def do(options: argparse.Namespace) -> Outcome:
    given = given_settings(options, AuditConfig, leave_out=_OTHERWISE)
    config = parse_audit(
        {
            **given,
            "data": source(options.data),
            "target": options.target,
            "confounder": options.confounder,
            "test_split": options.split,
            **_of_subjects(vars(options)),
        }
    )
    content = config.model_dump(mode="json")
    if options.cost:
        return cost_outcome(AUDIT, content)
    name = options.name or f"{config.target} × {config.confounder}, audit"
    done = load_run(run_here(AUDIT, content, name=name, listener=tell_events()))
    outcome = run_outcome(done)
    if not outcome.ok:
        return outcome
    notes = read_content(done.path, RunFiles(done.path).subsets)["notes"]
    told = replace(outcome, about={**outcome.about, "notes": notes}, shown="\n".join([*notes, "", outcome.shown]))
    return _with_groups(told, done, options.groups, options.view) if options.groups else told


def _with_groups(outcome: Outcome, run: Run, protected: list[str], view: str) -> Outcome:
    """Keep each classifier's rates by group on clean faces for the report, and show them."""
    from fairsal_core.faces import list_faces
    from fairsal_core.reports import groups_table
    from fairsal_core.results import CLEAN, read_predictions
    from fairsal_core.scan import KeptGroups, data_of, groups_of, judged_by, keep_groups, subjects_of

    faces = list_faces(data_of(run))
    judged = [judged_by(run, each) for each in subjects_of(read_predictions(run.path)) if each.evaluation == CLEAN]
    kept = [KeptGroups.of(each, groups_of(each, faces, protected, view), protected) for each in judged]
    keep_groups(run.path, kept)
    shown = [f"\n{each.subject}\n{groups_table(each).to_string(index=False)}\n{each.left_out_note}" for each in kept]
    about = {**outcome.about, "groups": [each.model_dump(mode="json") for each in kept]}
    return replace(outcome, about=about, shown="\n".join([outcome.shown, *shown]))


def _of_subjects(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given about classifiers, as `SubjectAuditConfig` takes it."""
    attention = {name: given[name] for name in ("explainers", "explained_faces", "roi") if name in given}
    own = ("subjects", "schemes", "device", "engine", "address", "storage")
    content: dict[str, Any] = {name: given[name] for name in own if name in given}
    return {**content, "attention": attention} if attention else content
