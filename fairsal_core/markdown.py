"""Text that others wrote, such as an attribute's name or a note's author, in Markdown: shown letter by letter."""

import re

# What begins a picture, a link, emphasis, code, a formula, HTML, a table's cell, or streamlit's colours and icons. An underscore
# between letters, as in Blond_Hair, begins nothing.
_SPECIAL = re.compile(r"[\\`*\[\]$~|<&]|(?<![^\W_])_|_(?![^\W_])|:(?=[A-Za-z])")
# Icons and emoji are looked for after all marks were read, so no backslash helps: a joiner, which has no width, parts the colon
# from the name. Addresses become links in the same way, which is let be: they read the same, and nothing is fetched.
_ICON = re.compile(r"(?<!\d):(?=\d+:)|:(?=[\w+/-]*[A-Za-z+][\w+/-]*:)")
_JOINER = "\u2060"
_AT_START = re.compile(r"^[^\S\n]*(?:([-+>=#])|(\d+)([.)])(?!\S))?", re.MULTILINE)


def letters(text: object) -> str:
    """Return text for Markdown to show letter by letter.

    Or else it could be a picture: whoever opens the page would ask another's server for it.

    Examples
    --------
    >>> print(letters("![face](https://example.org/1.png) of Blond_Hair"))
    !\\[face\\](https://example.org/1.png) of Blond_Hair
    """
    parted = _ICON.sub(f":{_JOINER}", str(text))
    return _AT_START.sub(_escaped, _SPECIAL.sub(r"\\\g<0>", parted))


def _escaped(found: re.Match[str]) -> str:
    mark, number, dot = found.groups()
    if number:
        return f"{number}\\{dot}"
    return f"\\{mark}" if mark else ""


def in_a_line(text: object) -> str:
    """Return text for one line of a Markdown file: letter by letter, and as no HTML to any reader of it.

    Examples
    --------
    >>> print(in_a_line("<img src=x>\\n| *a*"))
    &lt;img src=x> \\| \\*a\\*
    """
    return letters(" ".join(str(text).split())).replace("\\<", "&lt;").replace("\\&", "&amp;")


def as_code(text: object) -> str:
    """Return text as code in a line of a Markdown file, as no HTML to any reader of it.

    Examples
    --------
    >>> print(as_code("run --target '<b>'"), as_code("plain"))
    <code>run --target '&lt;b>'</code> `plain`
    """
    line = " ".join(str(text).splitlines())
    return f"<code>{in_a_line(line)}</code>" if re.search("[`<&]", line) else f"`{line}`"
