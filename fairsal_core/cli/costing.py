"""`--cost`: what a command's job takes, and nothing started."""

import argparse
from collections.abc import Mapping
from typing import Any

from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.progress import show_progress


def add_cost(parser: argparse.ArgumentParser) -> None:
    """Add `--cost`."""
    parser.add_argument(
        "--cost",
        action="store_true",
        help="say how long it takes here, and how much memory and disk, by a second of each stage; nothing is started",
    )


def cost_outcome(kind: str, content: Mapping[str, Any]) -> Outcome:
    """Return what a job takes: seconds of each stage, and bytes of what it holds and leaves.

    Parameters
    ----------
    kind : str
        Of run.
    content : mapping
        Its settings, as in a run's `config.json`.
    """
    from fairsal_core.costs import cost_of

    cost = cost_of(kind, content, show_progress())
    seconds, memory, disk = (sum(amounts.values()) for amounts in (cost.seconds, cost.memory, cost.disk))
    lines = [
        *(f"{took:10,.0f} s   {stage}" for stage, took in cost.seconds.items()),
        f"{seconds:10,.0f} s   in all, if nothing of it is there yet, as busy as this machine is now",
        *(f"{size / 1e6:10,.0f} MB  {what}" for what, size in cost.memory.items()),
        f"{memory / 1e6:10,.0f} MB  of memory at once, at the most",
        *(f"{size / 1e6:10,.0f} MB  {what}" for what, size in cost.disk.items()),
        *([f"{disk / 1e6:10,.0f} MB  of disk, at the most"] if disk else []),
    ]
    about = {"seconds": dict(cost.seconds), "memory_bytes": dict(cost.memory), "disk_bytes": dict(cost.disk)}
    return Outcome(about, "\n".join(lines))
