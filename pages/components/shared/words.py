"""How runs, states, durations and what others wrote are shown, the same on every page."""

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fairsal_core.markdown import letters
from fairsal_core.registry import entry_title
from fairsal_core.runs import Run, is_example

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 120

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

    Or else it could be a picture: whoever opens the page would ask another's server for it. Labels, help, captions of pictures
    and the cells of `st.table` are Markdown too; options of a selectbox and the cells of `st.dataframe` are not.

    Examples
    --------
    >>> print(plain("![face](//example.org/1.png)"))
    !\\[face\\](//example.org/1.png)
    """
    return letters(text)


def plain_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table for `st.table`: its texts and column heads letter by letter."""
    shown = table.rename(columns=plain)
    return shown.map(lambda value: plain(value) if isinstance(value, str) else value)


def in_chart(text: object) -> str:
    """Return what others wrote for plotly, which draws some HTML and fills in templates.

    Examples
    --------
    >>> in_chart("<b>%{x}")
    '&lt;b&gt;&#37;{x}'
    """
    return html.escape(str(text), quote=False).replace("%{", "&#37;{")


def explained(entries: Mapping[str, Any]) -> str:
    """Return what each entry of a registry is, for a help text: its title, its name in files and commands, its sentence."""
    return "\n\n".join(
        f"**{plain(entry_title(entries, name))}** (`{name}`): {plain(entry.description)}"
        for name, entry in entries.items()
    )


def told_variant(name: object) -> str:
    """Return what a reader is told for a variant's name, for Markdown; see `variant_title`."""
    return plain(_variant_title(str(name)))


def step_title(stage: str) -> str:
    """Return what to call a step of a run, whose variant comes first.

    Examples
    --------
    >>> step_title("general_mask@0.7, seed 0"), step_title("faces")
    ('General mask, top 30%, seed 0', 'Faces')
    """
    variant, seed, number = stage.rpartition(", seed ")
    if seed:
        return f"{_variant_title(variant)}, seed {number}"
    return stage[:1].upper() + stage[1:]


def _variant_title(name: str) -> str:
    from fairsal_core.settings import variant_title  # brings torch, which an app that starts does without

    return variant_title(name)


def called(run: Run) -> str:
    """Return what to call a run in a list where the example that ships may be among others."""
    return "Example that ships with fairsal" if is_example(run) else title_of(run)


def title_of(run: Run) -> str:
    """Return what to call a run: its name, or what it is about."""
    about = " × ".join(str(run.config[part]) for part in ("target", "confounder") if part in run.config)
    title = "".join(letter if letter.isprintable() else " " for letter in (run.name or about or run.id)[:_LONGEST])
    return title if len(run.name or about) <= _LONGEST else f"{title} …"
