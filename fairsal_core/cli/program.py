"""`fairsal`, or `python -m fairsal_core`: the same jobs without a browser.

Results go to stdout, as JSON with `--json`; progress goes to stderr. Exit status: 0 done, 1 bad input or a failed run,
2 unusable arguments, 130 stopped with Ctrl-C.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.registry import COMMANDS, Command
from fairsal_core.device import process_count, process_number
from fairsal_core.errors import CancelledError, FairsalError, sentence
from fairsal_core.output import open_standard_streams, tell, write


def main(arguments: Sequence[str] | None = None, name: str = "fairsal") -> int:
    """Run one command and return its exit status; `name` is what the program was called by."""
    open_standard_streams()
    try:
        options = build_parser(name).parse_args(arguments)
        outcome = _do(options.command, options)
        if process_number() == 0:  # the first one tells what all of them did
            write(json.dumps(outcome.about, indent=2) if options.json else outcome.shown)
    except FairsalError as error:
        tell(f"fairsal: {error}")
        return 1
    except OSError as error:  # a full disk, a folder that may not be written
        tell(f"fairsal: {sentence(error)}")
        return 1
    except (CancelledError, KeyboardInterrupt):
        tell("fairsal: stopped")
        return 130
    return 0 if outcome.ok else 1


def build_parser(name: str = "fairsal") -> argparse.ArgumentParser:
    """Return the parser of all commands; each `--help` is complete."""
    parser = _Parser(
        prog=name,
        description="Audit whether a face-attribute classifier is fair for the right reasons.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)
    for command in COMMANDS.values():
        commands.add_parser(
            command.name,
            help=command.description,
            description=command.description,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        ).serves(command)
    return parser


class _Parser(argparse.ArgumentParser):
    """Parser whose help is a result, and whose complaints are not."""

    def _print_message(self, message: str, file: Any = None) -> None:
        text = message.removesuffix("\n")
        if file is sys.stdout:
            write(text)
        else:
            tell(text)


class _CommandParser(_Parser):
    """Parser of one command, whose module is imported when it is used."""

    _command: Command | None = None

    def serves(self, command: Command) -> None:
        self._command = command

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._command is not None:
            command, self._command = self._command, None
            self.add_argument("--json", action="store_true", help="write the result as JSON")
            self.set_defaults(command=command)
            command.implementation().add_arguments(self)
        return super().parse_known_args(args, namespace)


def _do(command: Command, options: argparse.Namespace) -> Outcome:
    if process_count() > 1 and not command.together:
        able = ", ".join(each.name for each in COMMANDS.values() if each.together)
        raise FairsalError(f"torchrun is for {able} alone; start this without it.")
    return command.implementation().do(options)
