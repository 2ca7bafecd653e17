"""The command line: the same jobs without a browser."""

from fairsal_core.cli.program import build_parser, main

__all__ = ["build_parser", "main"]
