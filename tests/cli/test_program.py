"""The command line: machine-readable on stdout, progress on stderr, one sentence for bad input."""

import argparse
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from fairsal_core.cli import build_parser, main, registry
from fairsal_core.cli.outcome import Outcome
from fairsal_core.cli.registry import COMMANDS, Command
from fairsal_core.errors import FairsalError


class Greet(SimpleNamespace):
    """The module of a command of one's own."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--whom", default="you", help="who is greeted")

    def do(self, options: argparse.Namespace) -> Outcome:
        if options.whom in ("nobody", "stop"):
            raise FairsalError("There is nobody to greet.") if options.whom == "nobody" else KeyboardInterrupt
        return Outcome({"hello": options.whom}, f"Hello, {options.whom}", ok=options.whom != "a stranger")


@pytest.fixture
def greet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command more: its file, and its line in the registry."""
    monkeypatch.setitem(sys.modules, f"{registry.__package__}.greet_me", Greet())
    monkeypatch.setitem(COMMANDS, "greet-me", Command("greet-me", "Greet someone."))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_complete_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_as_a_module_it_answers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fairsal_core", "runs", "no-such-run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("fairsal: ")
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("greet")
def test_a_command_is_one_file_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "Greet someone." in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["greet-me", "--help"])
    assert "who is greeted (default: you)" in capsys.readouterr().out
    assert main(["greet-me"]) == 0
    assert capsys.readouterr().out == "Hello, you\n"
    assert main(["greet-me", "--json", "--whom", "all"]) == 0
    assert json.loads(capsys.readouterr().out) == {"hello": "all"}


@pytest.mark.usefixtures("greet")
@pytest.mark.parametrize(
    ("whom", "status", "told"),
    [
        ("a stranger", 1, ("Hello, a stranger\n", "")),
        ("nobody", 1, ("", "fairsal: There is nobody to greet.\n")),
        ("stop", 130, ("", "fairsal: stopped\n")),
    ],
)
def test_how_it_ended_is_the_exit_status(
    whom: str, status: int, told: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["greet-me", "--whom", whom]) == status
    assert capsys.readouterr() == told


@pytest.mark.parametrize("arguments", [[], ["greet-me"], ["runs", "--nonsense"], ["runs", "x", "--cancel", "--delete"]])
def test_unusable_arguments_are_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.usefixtures("greet")
def test_torchrun_is_for_commands_that_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "0", "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main(["greet-me"]) == 1
    assert capsys.readouterr().err == "fairsal: torchrun is for train-regions alone; start this without it.\n"
    monkeypatch.setitem(COMMANDS, "greet-me", Command("greet-me", "Greet someone.", together=True))
    assert main(["greet-me"]) == 0
    assert capsys.readouterr() == ("", "")  # the first process tells what all of them did
