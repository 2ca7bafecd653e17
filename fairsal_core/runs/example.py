"""The finished run that ships with the package, on drawn faces: something to look at before anything was trained.

It is one ZIP file, `bundled/example.zip`, with a run's results and their manifest, without classifiers. How it is made again
stands in `bundled/README.md`. It is nobody's: it was not made here, so it opens and nothing is added to it.
"""

import io
import secrets
import shutil
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from fairsal_core.errors import FairsalError, sentence
from fairsal_core.files import replacing
from fairsal_core.hashing import file_digest
from fairsal_core.home import cache_folder
from fairsal_core.manifests import entries_of, write_manifest
from fairsal_core.runs.layout import RunFiles
from fairsal_core.runs.sealing import check_run
from fairsal_core.runs.store import Run, load_run

ARCHIVE = Path(__file__).parent / "bundled" / "example.zip"
_STEPS = {"maps": 48, "means": 512}  # what of a map's values is kept: the rest is noise that does not compress
_WHEN = (2026, 1, 1, 0, 0, 0)  # the same archive of the same run


def example_run() -> Run | None:
    """Return the example that ships, unpacked into the cache the first time; None where it did not ship or cannot be kept."""
    try:
        return load_run(_unpacked())
    except (OSError, FairsalError, zipfile.BadZipFile):
        return None


def is_example(run: Run) -> bool:
    """Return whether a run is the example that ships."""
    return run.path.parent.parent == _folder()


def pack_example(run: Path, archive: Path = ARCHIVE) -> Path:
    """Make the archive of a finished run: without classifiers, its maps rounded, with a manifest that nobody signed.

    Raises
    ------
    FairsalError
        If the run's files are not what its manifest says.
    """
    check_run(run)
    draft = archive.with_suffix(".draft") / run.name
    try:
        files = RunFiles(run)
        heavy = (files.weights_folder, files.same_saliency("", 0).parent, files.validation)
        kept = [path for path in files.results_of_the_run() if not {path, *path.parents} & set(heavy)]
        for path in [*kept, files.status]:
            _copy(path, draft / path.relative_to(run))
        write_manifest(draft, {"run": run.name, "files": entries_of(draft, RunFiles(draft).results_of_the_run())})
        with replacing(archive) as temporary:
            temporary.write_bytes(_zipped(draft))
    finally:
        shutil.rmtree(draft.parent, ignore_errors=True)
    return archive


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    steps = _STEPS.get(path.parent.name)
    if steps is None or path.suffix != ".npy":
        shutil.copyfile(path, to)
        return
    maps = np.load(path)
    np.save(to, (np.round(maps.astype(np.float32) * steps) / steps).astype(maps.dtype))


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            about = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", _WHEN)
            archive.writestr(about, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def _folder() -> Path:
    return cache_folder() / "example"


@cache
def _name(archive: Path) -> str:
    return file_digest(archive)[:16]


def _unpacked() -> Path:
    """Return the example's folder, made whole before it has its name."""
    place = _folder() / _name(ARCHIVE)
    if not place.is_dir():
        draft = place.with_name(f".{place.name}-{secrets.token_hex(4)}")
        with zipfile.ZipFile(ARCHIVE) as archive:
            archive.extractall(draft)
        try:
            draft.rename(place)
        except OSError as error:  # another session was quicker
            shutil.rmtree(draft, ignore_errors=True)
            if not place.is_dir():
                raise FairsalError(sentence(error)) from error
    return next(path for path in place.iterdir() if path.is_dir())
