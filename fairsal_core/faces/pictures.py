"""The pictures that a folder has, and which of them a row of a table means."""

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fairsal_core.errors import FairsalError
from fairsal_core.home import leads_out

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_NO_PICTURES = ("parts", "__MACOSX")
_DEPTH = 5


def list_pictures(folder: Path, depth: int = _DEPTH) -> list[str]:
    """Return the names of the pictures in a folder and the folders in it, with slashes, in order.

    Left out are part masks, what begins with a dot (macOS writes `._a.jpg` beside `a.jpg`), and folders behind links that lead out.
    """
    return sorted(_walk(folder, folder, "", depth))


def _walk(root: Path, folder: Path, above: str, depth: int) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise FairsalError(f"{folder} cannot be read ({error.strerror or error}).") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.name.lower().endswith(SUFFIXES):
            yield above + entry.name
        elif depth and _holds_pictures(entry, root):
            yield from _walk(root, folder / entry.name, f"{above}{entry.name}/", depth - 1)


def _holds_pictures(entry: "os.DirEntry[str]", root: Path) -> bool:
    if entry.name in _NO_PICTURES or "mask-anno" in entry.name.lower() or not entry.is_dir():
        return False
    return not (entry.is_symlink() and leads_out(Path(entry.path), root))


def is_mac_shadow(name: str) -> bool:
    """Return whether a file is one that macOS puts beside others."""
    return PurePosixPath(name).name.startswith("._") or "__MACOSX" in PurePosixPath(name).parts


class _Otherwise(NamedTuple):
    """Files by what else may be written for them: their name in any folder, that without its ending, and its number."""

    by_name: dict[str, list[str]]
    by_stem: dict[str, list[str]]
    by_number: dict[int, list[str]]


class Pictures:
    """Finds the file that a table means: by its path, its name in another folder, without or with another ending, or its number.

    Parameters
    ----------
    files : iterable of str
        Names of the pictures, with slashes.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.files = list(files)
        self._exact = set(self.files)

    def __contains__(self, written: str) -> bool:
        """Return whether this is a picture's whole path."""
        return written in self._exact

    def __len__(self) -> int:
        return len(self.files)

    @cached_property
    def _otherwise(self) -> _Otherwise:
        """What is asked where a path is not written out; made then, since of a million files it takes seconds."""
        found = _Otherwise({}, {}, {})
        for file in self.files:
            name = file.rpartition("/")[2].lower()
            stem = name.rpartition(".")[0]
            found.by_name.setdefault(name, []).append(file)
            found.by_stem.setdefault(stem, []).append(file)
            if stem.isascii() and stem.isdecimal() and len(stem) < 20:
                found.by_number.setdefault(int(stem), []).append(file)
        return found

    def find(self, written: str) -> str | None:
        """Return the picture that a cell means, or None.

        Raises
        ------
        FairsalError
            If it could be one or another.

        Examples
        --------
        >>> some = Pictures(["img/000001.png", "img/000002.JPG"])
        >>> some.find("000001.jpg"), some.find("x/img/000002.jpg"), some.find("2"), some.find("3.jpg")
        ('img/000001.png', 'img/000002.JPG', 'img/000002.JPG', None)
        """
        if written in self._exact:
            return written
        path = written.replace("\\", "/")
        folder, _, name = path.rpartition("/")
        name = name.lower().strip()
        known = self._otherwise
        found = known.by_name.get(name)
        if found is None:
            stem, dot, ending = name.rpartition(".")
            has_ending = bool(dot) and f".{ending}" in SUFFIXES
            found = known.by_stem.get(stem if has_ending else name)
            if found is None and not has_ending and name.isascii() and name.isdecimal() and len(name) < 20:
                found = known.by_number.get(int(name))
        if not found:
            return None
        fitting = [file for file in found if _same_end(folder, file.rpartition("/")[0])]
        if len(fitting) > 1:
            exact = [file for file in fitting if file.lower() == path.lower().lstrip("./")]
            if len(exact) == 1:
                return exact[0]
            raise FairsalError(
                f"'{written[:80]}' could be {fitting[0]} or {fitting[1]}: write the folder and the ending of each picture too."
            )
        return fitting[0] if fitting else None

    def has(self, written: str) -> bool:
        """Return whether there is such a picture, or several."""
        try:
            return self.find(written) is not None
        except FairsalError:
            return True


def _same_end(one: str, other: str) -> bool:
    """Return whether two folders could be the same, seen from different places: "img/train" and "train" could."""
    ends = zip(reversed(one.strip("/").split("/")), reversed(other.split("/")), strict=False)
    return not one or not other or all(a == b or a in (".", "..") for a, b in ends)
