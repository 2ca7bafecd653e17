"""A whole folder brought into CelebA's frame, picture by picture; what was done is written down, and not done again."""

import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from fairsal_core.errors import FairsalError
from fairsal_core.faces.alignment import FRAME, align_face, find_faces, is_aligned, movement
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.decoding import decode_image
from fairsal_core.faces.formats import recognised
from fairsal_core.files import replacing
from fairsal_core.home import leads_out
from fairsal_core.progress import Progress, silent

ALIGNED, ALREADY, NO_FACE, UNREADABLE = "aligned", "already aligned", "no face", "unreadable"
STRETCHED = "stretched"
RECORDS = "alignment"  # the folder beside the pictures
_LOG, _TABLE = "log.jsonl", "pictures.csv"
_PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
_TABLES = {".txt", ".csv", ".tsv", ".json", ".jsonl", ".parquet"}
_CHUNK = 64
_COLUMNS = ["image", "state", "faces", "score", "scale", "turn", "x", "y", "outside", "reason"]


def labelled_folder(folder: Path) -> FaceDataset | None:
    """Return the faces and labels of a folder, or None if it is of no known format, or has some table that is not about labels."""
    found = recognised(folder)
    if found is None:
        return None
    try:
        return found.load(folder)
    except FairsalError:
        if found.anything:
            return None
        raise


def align_folder(folder: Path, out: Path, progress: Progress = silent, *, stretch: bool = False) -> pd.DataFrame:
    """Align every picture of a folder into another folder of the same layout.

    Of a folder in a known format these are the pictures that its table lists, and the tables are copied, so that the new folder is
    a set of the same format; of any other all pictures in it and below. Of several faces the largest is taken. A picture that is
    aligned already is copied as it is; one without a face is left out. What was done before with the same file is not done again.

    Parameters
    ----------
    folder, out : Path
        Where the pictures are, and where to write: `out` must lie outside of `folder`.
    progress : Progress
        Called after every few pictures; may raise to stop.
    stretch : bool
        The pictures are the frame squeezed to another shape, such as squares: they are stretched to it, and no face is moved.

    Returns
    -------
    pandas.DataFrame
        A row a picture: `image` (path below `folder`), `state` ("aligned", "already aligned", "stretched", "no face" or
        "unreadable"), `faces` (how many were found), `score`, how it was moved (`scale`, `turn` in degrees, then by `x` and `y`
        pixels), `outside` (share of the frame that is not from the photo), `reason` (why it is unreadable). It is
        `alignment/pictures.csv` in `out` too.

    Raises
    ------
    FairsalError
        If the folders do not do, or there is no picture.
    """
    folder, out = folder.expanduser().resolve(), out.expanduser().resolve()
    if not folder.is_dir():
        raise FairsalError(f"{folder} is not a folder.")
    if out == folder or out.is_relative_to(folder) or folder.is_relative_to(out):
        raise FairsalError(f"{out} and {folder} lie in each other; choose a folder elsewhere for the aligned pictures.")
    names = _pictures(folder)
    if not names:
        raise FairsalError(f"There is no picture (JPEG, PNG or WebP) in {folder}.")
    (out / RECORDS).mkdir(parents=True, exist_ok=True)
    known = _records(out)
    with (out / RECORDS / _LOG).open("a", encoding="utf-8") as log, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(names), _CHUNK):
            progress(start, len(names), f"Aligning {folder.name}")
            for record in pool.map(
                lambda name: _align(folder, out, name, known.get(name), stretch), names[start : start + _CHUNK]
            ):
                if record != known.get(record["image"]):
                    log.write(json.dumps(record) + "\n")
                known[record["image"]] = record
            log.flush()
    _copy_tables(folder, out)
    table = pd.DataFrame([known[name] for name in names])[_COLUMNS]
    with replacing(out / RECORDS / _TABLE) as temporary:
        table.to_csv(temporary, index=False)
    progress(len(names), len(names), f"Aligning {folder.name}")
    return table


def _pictures(folder: Path) -> list[str]:
    """Return the paths below a folder of the pictures to align."""
    faces = labelled_folder(folder)
    if faces is None:
        files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _PICTURES and path.is_file())
        return [path.relative_to(folder).as_posix() for path in files]
    place = faces.image_folder.resolve()
    if not place.is_relative_to(folder):
        raise FairsalError(f"The pictures of {folder} lie elsewhere, in {place}; align that folder.")
    return [(place.relative_to(folder) / name).as_posix() for name in faces.names]


def _records(out: Path) -> dict[str, dict[str, Any]]:
    """Return what was done before, by picture: the last of each."""
    found = {}
    with suppress(FileNotFoundError):
        for line in (out / RECORDS / _LOG).read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):  # what a kill left of a line
                record = json.loads(line)
                found[str(record["image"])] = record
    return found


def _align(folder: Path, out: Path, name: str, before: dict[str, Any] | None, stretch: bool) -> dict[str, Any]:
    """Align one picture, and return what came of it; what came before, where that still holds."""
    path, target = folder / name, out / name
    try:
        found = path.stat()
    except OSError:
        return _record(name, "", UNREADABLE, reason=f"{path.name} is missing.")
    stamp = f"{found.st_size}-{found.st_mtime_ns}{'-stretched' if stretch else ''}"
    if before and before.get("stamp") == stamp and (before["state"] in (NO_FACE, UNREADABLE) or target.is_file()):
        return before
    if leads_out(path, folder):
        return _record(name, stamp, UNREADABLE, reason=f"{path.name} is a link out of the folder.")
    try:
        picture = decode_image(path)
    except FairsalError as error:
        return _record(name, stamp, UNREADABLE, reason=str(error))
    if stretch and picture.size != FRAME:
        with replacing(target) as temporary:
            _save(picture.resize(FRAME, Image.Resampling.BICUBIC), temporary, target.suffix.lower())
        return _record(name, stamp, STRETCHED)
    faces = find_faces(picture)
    if not faces and not is_aligned(picture):
        return _record(name, stamp, NO_FACE)
    count = {"faces": len(faces), "score": round(faces[0].score, 4) if faces else None}
    if not faces or is_aligned(picture, faces[0]):
        with replacing(target) as temporary:
            shutil.copyfile(path, temporary)
        return _record(name, stamp, ALREADY, **count)
    aligned, outside = align_face(picture, faces[0])
    with replacing(target) as temporary:
        _save(aligned, temporary, target.suffix.lower())
    return _record(name, stamp, ALIGNED, **count, **movement(faces[0].points), outside=round(float(outside.mean()), 4))


def _save(picture: Image.Image, path: Path, suffix: str) -> None:
    if suffix in (".jpg", ".jpeg"):
        picture.save(path, "JPEG", quality=95)
    elif suffix == ".webp":
        picture.save(path, "WEBP", lossless=True)
    else:
        picture.save(path, "PNG")


def _record(name: str, stamp: str, state: str, **found: Any) -> dict[str, Any]:
    return {**dict.fromkeys(_COLUMNS), "faces": 0, "reason": "", **found, "image": name, "state": state, "stamp": stamp}


def _copy_tables(folder: Path, out: Path) -> None:
    """Copy the tables, so that the new folder has the labels of the old one."""
    for path in _tables(folder):
        target = out / path.relative_to(folder)
        with replacing(target) as temporary:
            shutil.copyfile(path, temporary)


def _tables(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _TABLES and path.is_file() and not leads_out(path, folder):
            yield path
