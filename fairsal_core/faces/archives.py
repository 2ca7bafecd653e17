"""Pictures inside other files: taken out once, into the cache or, by command, beside the archive."""

import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import IO

import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces.pictures import SUFFIXES, is_mac_shadow
from fairsal_core.files import write_parquet
from fairsal_core.home import cache_folder
from fairsal_core.progress import Progress, silent

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_TABLES = (".csv", ".tsv", ".txt", ".jsonl", ".json", ".parquet", ".mat")
_PICTURES, _CELLS, _NAME = "pictures", "cells.parquet", "image"
_MAGIC = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"RIFF", ".webp"))
Take = Callable[[Path, Callable[[float], None]], pd.DataFrame]
"""(folder, tell) -> the cells, index: picture's name in the folder, after putting the pictures there.

`tell` is told now and then how many of the files are done, and what part of the one that is being read.
"""
_listener: ContextVar[Progress] = ContextVar("listener", default=silent)


@contextmanager
def told_to(progress: Progress) -> Iterator[None]:
    """Have whoever takes pictures out of files tell this progress of it: a format's functions are given a folder alone."""
    before = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(before)


def taken_out(root: Path, files: list[Path], take: Take) -> tuple[Path, pd.DataFrame]:
    """Return a folder of the cache with the pictures that lie inside of some files, and their rows; made once.

    The folder has the date of the newest file, so that it is the same set when it has to be made again.
    """
    digest = hashlib.sha256(str(root.resolve()).encode())
    stamp = 0
    for path in files:
        about = path.stat()
        digest.update(f"|{path.name}|{about.st_size}|{about.st_mtime_ns}".encode())
        stamp = max(stamp, about.st_mtime_ns)
    folder = cache_folder() / "unpacked" / f"{root.resolve().name}-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _draft(folder) as draft:
            (draft / _PICTURES).mkdir()
            progress, message = _listener.get(), f"Taking pictures out of the files of {root.name}"
            cells = take(draft / _PICTURES, lambda done: progress(done, len(files), message))
            write_parquet(draft / _CELLS, cells.astype(object).rename_axis(_NAME).reset_index())
            os.utime(draft / _PICTURES, ns=(stamp, stamp))
    cells = pd.read_parquet(folder / _CELLS).set_index(_NAME).astype("category")
    cells.index = cells.index.astype("str")
    return folder / _PICTURES, cells


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """Give a folder that takes its place when all went well; another process that was faster wins."""
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)  # mkdtemp's is for one user
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def picture_suffix(content: bytes) -> str:
    """Return the ending that a picture's first bytes ask for; none is read by it."""
    return next((suffix for magic, suffix in _MAGIC if content.startswith(magic)), ".jpg")


def archives_in(root: Path) -> list[Path]:
    """Return the archives in a folder and the folders in it."""
    found = [*root.iterdir(), *(path for folder in root.iterdir() if folder.is_dir() for path in _entries(folder))]
    return sorted(path for path in found if path.name.lower().endswith(ARCHIVES) and path.is_file())


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def unpack(root: Path, out: Path | None = None, progress: Progress = silent) -> dict[str, int]:
    """Unpack the archives in a folder: their pictures and tables, and nothing that would lie outside of it.

    Parameters
    ----------
    root : Path
        A folder with archives, or one archive.
    out : Path, optional
        Where to; by default beside each archive.
    progress : Progress
        Called after every file; may raise to stop.

    Returns
    -------
    dict
        Archive -> how many files came out of it.

    Raises
    ------
    FairsalError
        If there is no archive, one does not read, or a file is there already.
    """
    archives = [root] if root.is_file() else archives_in(root) if root.is_dir() else []
    if not archives:
        raise FairsalError(f"There is no archive in '{root}' ({', '.join(ARCHIVES)}).")
    done: dict[str, int] = {}
    for path in archives:
        try:
            done[str(path)] = _unpack_one(path, out or path.parent, progress)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            raise FairsalError(f"{path} does not unpack ({_in_a_line(error)}): fetch it again.") from error
        except RuntimeError as error:  # a password, or a compression that Python's zipfile does not know: no damage
            raise FairsalError(f"{path} does not unpack here ({_in_a_line(error)}): unpack it by hand.") from error
    return done


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _unpack_one(path: Path, out: Path, progress: Progress) -> int:
    members = zip_members if path.suffix.lower() == ".zip" else tar_members
    names = [name for name, _ in members(path)]
    heads = {PurePosixPath(name).parts[0] for name in names if "/" in name}
    flat = any("/" not in name and name.lower().endswith(SUFFIXES) for name in names)
    target = out / path.name.split(".")[0] if flat or not heads else out
    for number, (name, stream) in enumerate(members(path), start=1):
        place = target / name
        if place.exists():
            raise FairsalError(f"{place} is there already; unpack {path.name} elsewhere, with --out.")
        place.parent.mkdir(parents=True, exist_ok=True)
        with stream() as source, place.open("xb") as file:
            shutil.copyfileobj(source, file)
        progress(number, len(names), f"Unpacking {path.name}")
    return len(names)


Opened = Callable[[], IO[bytes]]


def zip_members(path: Path) -> Iterator[tuple[str, Opened]]:
    """Give the pictures and tables of a zip archive, in its order."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if not entry.is_dir() and _is_wanted(entry.filename, path):
                yield entry.filename.replace("\\", "/"), lambda entry=entry: archive.open(entry)  # type: ignore[misc]


def tar_members(path: Path) -> Iterator[tuple[str, Opened]]:
    """Give the pictures and tables of a tar archive, in its order; links are none."""
    with tarfile.open(path) as archive:
        for entry in archive:
            if entry.isfile() and _is_wanted(entry.name, path):
                name = str(PurePosixPath(entry.name))
                yield name, lambda entry=entry: archive.extractfile(entry)  # type: ignore[misc]


def _is_wanted(name: str, path: Path) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0] or not name.isprintable():
        raise FairsalError(
            f"{path} holds '{ascii(name)[1:-1][:60]}', which would lie outside of the folder: it is not unpacked."
        )
    return not is_mac_shadow(name) and name.lower().endswith((*SUFFIXES, *_TABLES, ".cls"))
