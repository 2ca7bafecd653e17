"""How runs, states, durations and what others wrote are shown, the same on every page."""

import re

from fairsal_core.experiments import Run

_MARKDOWN = re.compile(r"[\\`*\[\]$]")

STATE_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "finished": "green",
    "failed": "red",
    "cancelled": "orange",
    "interrupted": "orange",
}


def describe_duration(seconds: float) -> str:
    """Return seconds in words.

    Examples
    --------
    >>> describe_duration(42), describe_duration(125), describe_duration(7260)
    ('42 s', '2 min 5 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plain(text: object) -> str:
    """Return what others wrote, such as a file's name, a link or an error, for Markdown to show letter by letter.

    Or else it could be a picture: whoever opens the page would ask another's server for it.

    Examples
    --------
    >>> print(plain("![face](https://example.org/1.png)"))
    !\\[face\\](https://example.org/1.png)
    """
    return _MARKDOWN.sub(r"\\\g<0>", str(text))


def title_of(run: Run) -> str:
    """Return what to call a run: its name, or what it is about."""
    about = " × ".join(str(run.config[part]) for part in ("target", "confounder") if part in run.config)
    return run.name or about or run.id
