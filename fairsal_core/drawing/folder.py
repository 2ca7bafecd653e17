"""A set of drawn faces in a folder: complete or not there at all."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fairsal_core.drawing.face_files import PICTURES
from fairsal_core.drawing.processes import draw_all
from fairsal_core.drawing.tables import write_tables
from fairsal_core.errors import FairsalError
from fairsal_core.files import read_json, write_json
from fairsal_core.progress import Progress, silent

DEMO_COUNT = 6000
"""How many faces the demo set has, unless another number is asked for."""
_FORMAT_VERSION = 2
_ABANDONED_AFTER = 3600.0  # seconds; a whole set takes well under a minute
_MANIFEST = "demo.json"
_README = "These faces are drawings made by fairsal; the folder can be deleted and drawn again at any time.\n"


def draw_demo_faces(
    root: Path, count: int = DEMO_COUNT, seed: int = 0, progress: Progress = silent, workers: int | None = None
) -> Path:
    """Draw a set of demo faces in CelebA's layout and return its folder.

    Written are `img_align_celeba/000001.jpg` and so on, `parts/000001.png` (see `PARTS`), `list_attr_celeba.txt`,
    `list_eval_partition.txt`, `identity_CelebA.txt` and, last, `demo.json`. The folder appears at `root` complete or not
    at all. A complete set with this seed and count is kept as it is; any other demo set at `root` is drawn anew.

    Parameters
    ----------
    root
        The folder of the set.
    count, seed
        How many faces, and which. Face k depends on the seed and k alone, its split included.
    progress
        Called with the faces drawn so far. If it raises, nothing is left behind.
    workers
        Processes to draw with; by default one a core, or this one alone for a small set. Changes no byte of the result.

    Raises
    ------
    FairsalError
        If a number is out of range, or if `root` holds files that are not a demo set (they are left alone).
    """
    if count < 1 or count > 999_999 or seed < 0:
        raise FairsalError(f"A demo set needs 1 to 999999 faces and a seed from 0 up; got count={count}, seed={seed}.")
    if workers is not None and workers < 1:
        raise FairsalError(f"Drawing needs at least one worker; got workers={workers}.")
    root = Path(root).absolute()
    if _is_complete(root, count, seed):
        return root
    _refuse_foreign(root)
    _sweep_abandoned(root)
    with _beside(root, "drawing") as folder:
        write_tables(folder, count, seed)
        (folder / "README.txt").write_text(_README, encoding="utf-8")
        draw_all(folder, count, seed, progress, workers)
        write_json(folder / _MANIFEST, _manifest(count, seed))
        _move_into_place(folder, root, count, seed)
    return root


def is_drawn(root: Path) -> bool:
    """Return whether a folder is a set of demo faces."""
    return (root / _MANIFEST).is_file()


def _manifest(count: int, seed: int) -> dict[str, int]:
    return {"format_version": _FORMAT_VERSION, "seed": seed, "count": count}


def _is_complete(root: Path, count: int, seed: int) -> bool:
    try:
        return bool(read_json(root / _MANIFEST) == _manifest(count, seed))
    except (OSError, ValueError):
        return False


def _refuse_foreign(root: Path) -> None:
    """Raise unless the folder is absent, empty or a demo set: someone's real CelebA has the same file names."""
    if not root.exists():
        return
    if root.is_dir() and (not any(root.iterdir()) or _has_our_readme(root)):
        return
    raise FairsalError(f"{root} holds something that is not a set of demo faces; name a new or an empty folder.")


def _has_our_readme(root: Path) -> bool:
    try:
        return (root / "README.txt").read_text(encoding="utf-8") == _README
    except (OSError, ValueError):
        return False


@contextmanager
def _beside(root: Path, purpose: str) -> Iterator[Path]:
    """Give a new folder next to `root` and remove what is left of it in the end."""
    folder = root.with_name(f".{root.name}.{purpose}-{uuid.uuid4().hex[:8]}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_abandoned(root: Path) -> None:
    """Remove what a killed process left next to `root`; one that still draws has touched its folder just now."""
    for folder in root.parent.glob(f".{root.name}.drawing-*"):
        pictures = folder / PICTURES
        touched = max((path.stat().st_mtime for path in (folder, pictures) if path.exists()), default=time.time())
        if time.time() - touched > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder: Path, root: Path, count: int, seed: int) -> None:
    """Rename the finished folder to `root`. Of two processes that drew the same set, the later one discards its own."""
    for _ in range(5):
        try:
            os.replace(folder, root)
            return
        except OSError:
            if _is_complete(root, count, seed):
                return
            _refuse_foreign(root)
            # Another process may have moved it already; the next attempt sees what is there then.
            with _beside(root, "old") as old, suppress(FileNotFoundError):
                os.replace(root, old / "set")
    raise FairsalError(f"Could not put the demo faces at {root}: other processes keep replacing it.")
