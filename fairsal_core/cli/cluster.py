"""`cluster`."""

import argparse
import os

from fairsal_core.cli.outcome import Outcome
from fairsal_core.errors import FairsalError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default=os.environ.get("RAY_ADDRESS", ""), help="HOST:PORT, or set RAY_ADDRESS")


def do(options: argparse.Namespace) -> Outcome:
    from fairsal_core.scaling import cluster_state, describe_cluster

    if not options.address:
        raise FairsalError("Say which cluster: --address HOST:6379, or set RAY_ADDRESS.")
    state = cluster_state(options.address)
    return Outcome({"address": options.address, **state}, f"{options.address}: {describe_cluster(state)}")
