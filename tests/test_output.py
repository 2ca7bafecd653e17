"""What is written is what it says, on any terminal, and nothing that a terminal would obey."""

import io
import sys
from pathlib import Path

import pytest

from fairsal_core import output
from fairsal_core.errors import FairsalError
from fairsal_core.output import legible, one_line, tell, write


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, näive and 髪", "plain, näive and 髪"),
        ("a table\n\tof lines\n", "a table\n\tof lines\n"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("back\x08\rover\x7f\x9b1m", r"back\x08\rover\x7f\x9b1m"),
        ("\u202egpj.exe\u2066", r"\u202egpj.exe\u2066"),
        ("one\u2028two", r"one\u2028two"),
        ("half \udc80", r"half \udc80"),
        ("نیم\u200cفاصله", "نیم\u200cفاصله"),  # joins no letters, and is part of the spelling
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_a_name_takes_one_line() -> None:
    assert one_line("mine\n\n20261122-101530-yours\x1b[2J\u2028x") == r"mine 20261122-101530-yours\x1b[2J x"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_terminal_gets_what_it_can_show(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, say in (("stdout", write), ("stderr", tell)):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")
        monkeypatch.setattr(sys, name, stream)
        say("é 髪 \x1b[2J")
        said = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        assert said == {
            "ascii": "\\xe9 \\u9aea \\x1b[2J\n",
            "latin-1": "é \\u9aea \\x1b[2J\n",
            "utf-8": "é 髪 \\x1b[2J\n",
        }.get(encoding)


def test_streams_that_were_closed_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    write("nobody")
    tell("nobody")
    output.open_standard_streams()
    streams = [sys.stdin, sys.stdout, sys.stderr]
    write("nobody")
    tell("nobody")
    assert sys.stdin.read() == ""
    for stream in streams:
        stream.close()


def test_a_stranger_cannot_speak_through_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(f"fairsal: {FairsalError('There is no run ' + chr(27) + '[31m')}")
    assert capsys.readouterr().err == "fairsal: There is no run \\x1b[31m\n"
