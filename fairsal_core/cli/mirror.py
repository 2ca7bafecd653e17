"""`mirror`."""

import argparse
import os
from pathlib import Path

from fairsal_core.cli.outcome import Outcome
from fairsal_core.errors import FairsalError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="a finished run")
    parser.add_argument("--uri", help="the MLflow server (default: MLFLOW_TRACKING_URI)")
    parser.add_argument("--seconds", type=int, default=600, help="give up after this time")
    parser.add_argument("--runs", type=Path, help="folder of the runs (default: the workspace's)")


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.reports import mirror_run
    from fairsal_core.runs import load_run, run_path

    uri = options.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise FairsalError("Say where to: set MLFLOW_TRACKING_URI, or give --uri http://HOST:5000.")
    there = mirror_run(load_run(run_path(options.id, options.runs)), uri, options.seconds)
    return Outcome({"run": options.id, "uri": uri, "mlflow_run": there}, f"Mirrored {options.id} to {uri} as {there}")
