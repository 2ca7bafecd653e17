r"""What commands and workers write: results to stdout, everything else to stderr. A reader that leaves ends no job.

Names come from anywhere. What a terminal would obey is spelled out (`\x1b`), and so is what its encoding has no letter for.
"""

import errno
import os
import sys
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_NOBODY_READS = (errno.EPIPE, errno.EINVAL)  # the second one is Windows' word for it
_OBEYED = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of letters, ends of lines
_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # what is read backwards


def open_standard_streams() -> None:
    """Let those of stdin, stdout and stderr that were closed lead nowhere, or the next file to be opened would be one of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  # for as long as this process lives


def write(text: str) -> None:
    """Write a result to stdout.

    Raises
    ------
    OSError
        If there is no room for it. That nobody reads it (`| head`, a closed pager) is no failure.
    """
    _print(text, sys.stdout)


def tell(text: str, end: str = "\n", begin: str = "") -> None:
    """Write to stderr what is not the result. Where that cannot be written, the job goes on without."""
    with suppress(OSError):
        _print(text, sys.stderr, end, begin)


def legible(text: str) -> str:
    r"""Return a text with what a terminal would obey spelled out, but for tabs and ends of lines.

    Examples
    --------
    >>> print(legible("red: \x1b[31m"))
    red: \x1b[31m
    """
    if text.isprintable():
        return text
    return "".join(_spelled(each) if _is_obeyed(each) else each for each in text)


def one_line(text: str) -> str:
    r"""Return a text, such as a name, that takes one line and shows no more than it says.

    Examples
    --------
    >>> one_line("mine\n20261122-101530-yours")
    'mine 20261122-101530-yours'
    """
    return legible(" ".join(text.split()))


def _is_obeyed(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in _OBEYED or unicodedata.bidirectional(character) in _TURNS


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _print(text: str, stream: TextIO | None, end: str = "\n", begin: str = "") -> None:
    if stream is None:  # closed by whoever started this
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = legible(text).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(begin + shown, end=end, file=stream, flush=True)
    except OSError as error:
        _to_nowhere(stream)
        if error.errno not in _NOBODY_READS:
            raise


def _to_nowhere(stream: TextIO) -> None:
    """Let go of what the stream still holds and of all that comes: Python would try once more at its end, and fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
