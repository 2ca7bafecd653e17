"""Finished things under a URL, where machines that share no folder find what others made.

A thing is a folder: a run that has ended, a stage's artifact. An object store has no rename in one step, so its files are
uploaded under a name that is used once, and a small manifest last (which files, how long, their SHA-256): a thing whose manifest
is there is whole, what a killed upload left is never looked at, and of two that make the same one the last is seen whole.
"""

import getpass
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import Any

from fairsal_core.errors import FairsalError, sentence
from fairsal_core.output import tell

MANIFEST = "complete.json"
_ABOUT = "fairsal.json"
_CHUNK = 8 * 2**20

_in_use: ContextVar[str] = ContextVar("storage", default="")


@contextmanager
def using(url: str) -> Iterator[None]:
    """While this is held, artifacts are fetched from this storage if they are there, and pushed to it once they are made."""
    token = _in_use.set(url)
    try:
        yield
    finally:
        _in_use.reset(token)


def in_use() -> str:
    """Return the storage in use here; empty if none is."""
    return _in_use.get()


def prepare(url: str) -> None:
    """Raise FairsalError, naming what is missing, unless things can be written there."""
    if "://" not in url:
        raise FairsalError(f"'{url}' is no URL, such as s3://BUCKET/FOLDER; for a mounted path set FAIRSAL_HOME to it.")
    with _reaching(url) as (files, root):
        files.pipe_file(f"{root}/{_ABOUT}", b'{"format": 1}\n')


def push(folder: Path, url: str, name: str, leave_out: frozenset[str] = frozenset()) -> None:
    """Upload the files of a folder, and then the manifest that makes them a thing of that name.

    Raises
    ------
    FairsalError
        If the storage cannot be written.
    """
    upload = uuid.uuid4().hex
    sources = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    named = {path.relative_to(folder).as_posix(): path for path in sources if path.name not in leave_out}
    with _reaching(url) as (files, root):
        written = {each: write_file(files, path, f"{root}/{name}/{upload}/{each}") for each, path in named.items()}
        manifest = json.dumps({"upload": upload, "files": written}, indent=1).encode()
        files.pipe_file(f"{root}/{name}/{MANIFEST}", manifest)


def fetch(url: str, name: str, folder: Path) -> bool:
    """Download a thing into `folder`, which must not be there yet, and return whether it was whole.

    A file that is not what the manifest says makes it as good as absent: whoever wants it makes it again.

    Raises
    ------
    FairsalError
        If the storage cannot be read.
    """
    with _reaching(url) as (files, root):
        manifest = _manifest(files, f"{root}/{name}")
        if manifest is None:
            return False
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-", suffix=".tmp") as temporary:
            draft = Path(temporary) / "whole"
            draft.mkdir()
            for each, expected in manifest["files"].items():
                if _read_file(files, f"{root}/{name}/{manifest['upload']}/{each}", _inside(draft, each)) != expected:
                    tell(f"{url}/{name}/{each} is not what was uploaded: it is made again.")
                    return False
            draft.rename(folder)
    return True


def read(url: str, name: str, file: str) -> bytes | None:
    """Return one file of a thing, for which the rest is not fetched; None if there is no whole one."""
    with _reaching(url) as (files, root):
        manifest = _manifest(files, f"{root}/{name}")
        if manifest is None or file not in manifest["files"]:
            return None
        content: bytes = files.cat_file(f"{root}/{name}/{manifest['upload']}/{file}")
        return content if hashlib.sha256(content).hexdigest() == manifest["files"][file]["sha256"] else None


def is_whole(url: str, name: str) -> bool:
    """Return whether there is a whole thing of that name."""
    with _reaching(url) as (files, root):
        return _manifest(files, f"{root}/{name}") is not None


def names(url: str, kind: str) -> list[str]:
    """Return what there is of a kind, such as "runs": whole, or begun and perhaps never finished."""
    with _reaching(url) as (files, root):
        files.invalidate_cache()
        try:
            found = files.ls(f"{root}/{kind}", detail=False)
        except FileNotFoundError:
            return []
    return sorted(f"{kind}/{PurePosixPath(str(path)).name}" for path in found)


def scratch_home(url: str, node: str) -> Path:
    """Return the folder that stands in for a shared workspace on this node: below FAIRSAL_SCRATCH, or the temporary folder.

    Raises
    ------
    FairsalError
        If someone else has made it.
    """
    scratch = Path(os.environ.get("FAIRSAL_SCRATCH") or tempfile.gettempdir())
    numbered = hasattr(os, "getuid")  # elsewhere each user has a temporary folder that is nobody else's
    user = os.getuid() if numbered else getpass.getuser()
    ours = scratch / f"fairsal-{user}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"
    ours.mkdir(mode=0o700, parents=True, exist_ok=True)
    if numbered and ours.stat().st_uid != os.getuid():
        raise FairsalError(f"{ours} belongs to someone else; name another folder in FAIRSAL_SCRATCH.")
    home = ours / node
    home.mkdir(exist_ok=True)
    return home


@contextmanager
def _reaching(url: str) -> Iterator[tuple[Any, str]]:
    """Give the file system of a URL and the path on it, and say of whatever fails there whose fault it is."""
    try:
        import fsspec
    except ImportError as error:
        raise FairsalError(
            "A storage URL needs fsspec; install it with: pip install -r requirements-ray.txt"
        ) from error
    kind = url.partition("://")[0]
    try:
        # Object stores have no folders to make, and refuse to be asked.
        files, root = fsspec.url_to_fs(url.rstrip("/"), **({"auto_mkdir": True} if kind == "file" else {}))
        yield files, root
    except ImportError as error:
        package = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}.get(kind, "its package")
        raise FairsalError(
            f"Storage at {kind}:// needs {package} here and on every node: pip install {package}"
        ) from error
    except FairsalError:
        raise
    except Exception as error:  # of whichever file system it is
        raise FairsalError(f"The storage {url} cannot be used: {sentence(error)}") from error


def _manifest(files: Any, path: str) -> dict[str, Any] | None:
    """Return a thing's manifest; None if there is none, or one that is just being written."""
    try:
        manifest = json.loads(files.cat_file(f"{path}/{MANIFEST}"))
    except (FileNotFoundError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("files"), dict) else None


def write_file(files: Any, source: Path, target: str) -> dict[str, Any]:
    """Upload a file and return what was uploaded, also if the file has grown meanwhile."""
    with source.open("rb") as reading, files.open(target, "wb") as writing:
        return _copy(reading, writing)


def _read_file(files: Any, source: str, target: Path) -> dict[str, Any] | None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with files.open(source, "rb") as reading, target.open("wb") as writing:
            return _copy(reading, writing)
    except FileNotFoundError:
        return None


def _copy(reading: Any, writing: Any) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    while chunk := reading.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
        writing.write(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _inside(folder: Path, name: str) -> Path:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise FairsalError(f"The storage names a file '{name}', which would lie outside of its folder.")
    return folder / name
