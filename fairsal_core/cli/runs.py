"""`runs`."""

import argparse
from dataclasses import replace
from pathlib import Path

from fairsal_core.cli.outcome import Outcome, run_outcome
from fairsal_core.errors import FairsalError
from fairsal_core.output import one_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id",
        nargs="?",
        help="a run; without it all are listed; 'prune' lists what no run needs, with --delete deletes it",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--cancel", action="store_true", help="stop this run")
    action.add_argument("--resume", action="store_true", help="start again what ended early; whole stages are reused")
    action.add_argument(
        "--adopt", action="store_true", help="take this finished run, from elsewhere, for one made here"
    )
    action.add_argument("--delete", action="store_true", help="delete this run's directory")


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.runs import cancel, delete_run, load_run, resume, run_path

    if not options.id:
        if options.cancel or options.resume or options.delete or options.adopt:
            raise FairsalError("Say which run: runs ID --cancel.")
        return _all()
    if options.id == "prune":
        return _prune(delete=options.delete)
    path = run_path(options.id)
    if options.delete:
        delete_run(path)
        return Outcome({"deleted": options.id}, f"Deleted {options.id}")
    if options.resume:
        again = resume(path)
        return Outcome({"id": again.name, "resumes": options.id}, f"{options.id} goes on as {again.name}")
    if options.adopt:
        _adopt(path)
    if options.cancel:
        cancel(path)
    return replace(run_outcome(load_run(path)), ok=True)  # it was asked how the run is, and that is known


def _adopt(path: Path) -> None:
    from fairsal_core.runs import adopt, load_run

    run = load_run(path)
    if run.status.state != "finished":
        raise FairsalError(f"{run.id} is {run.status.state}: only a finished run is taken over.")
    adopt(path)


def _all() -> Outcome:
    from fairsal_core.runs import list_runs

    runs = list_runs()
    lines = [
        f"{run.id}  {run.status.state:<11}  {run.status.fraction:4.0%}  {one_line(run.name or '')}" for run in runs
    ]
    return Outcome(
        {"runs": [{"id": run.id, "state": run.status.state, "fraction": run.status.fraction} for run in runs]},
        "\n".join(lines) or "No runs yet; start one with: python -m fairsal_core run --preset demo",
    )


def _prune(*, delete: bool) -> Outcome:
    from fairsal_core.runs import leftovers, prune

    found = prune() if delete else leftovers()
    total = sum(leftover.size for leftover in found)
    done = "Deleted" if delete else "Would delete (runs prune --delete does)"
    lines = [f"{leftover.size / 2**20:8.1f} MB  {leftover.path}: {leftover.reason}" for leftover in found]
    about = {
        "deleted": delete,
        "bytes": total,
        "leftovers": [{"path": str(item.path), "bytes": item.size, "reason": item.reason} for item in found],
    }
    return Outcome(about, "\n".join([*lines, f"{done}: {len(found)} leftovers, {total / 2**20:.1f} MB"]))
