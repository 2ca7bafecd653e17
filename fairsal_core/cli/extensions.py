"""`extensions`: what installed packages add."""

import argparse

from fairsal_core.cli.outcome import Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def do(options: argparse.Namespace) -> Outcome:
    """List every installed entry point: what it gives, and what was left out and why."""
    from fairsal_core.extensions import list_extensions

    found = list_extensions()
    return Outcome(
        {"extensions": [vars(one) for one in found]},
        "\n".join(map(str, found)) or "No installed package adds anything (CONTRIBUTING.md, From outside).",
    )
