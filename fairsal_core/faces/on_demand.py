"""The packed faces of a large set: packed when they are wanted, and kept for whoever wants them next.

What is wanted together and not packed yet is packed as a *part*, a packed set of its own. A list beside each part says which
files it was made of, with their sizes and dates; a picture that has changed since is in none, and is packed again when wanted.
"""

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces.dataset import FaceDataset
from fairsal_core.faces.packed_files import (
    DIGEST_BYTES,
    UNREADABLE,
    files_key,
    known_of,
    open_pixels,
    packed_files,
    stamped,
)
from fairsal_core.files import MOST_TABLE, read_json, write_json
from fairsal_core.locks import holding
from fairsal_core.progress import Progress, part_of, silent
from fairsal_core.versions import STAGES

PART = 16_384  # faces, at most: 805 MB
_FORMAT = 1
_NOWHERE = -1


def parts_folder(faces: FaceDataset, cache: Path, size: int) -> Path:
    """Return the folder of a set's parts; it does not depend on the files, since each part says which its own are."""
    about = f"on demand|{_FORMAT}|{STAGES['packing']}|{faces.image_folder.resolve()}|{size}"
    return cache / f"{faces.name}-{hashlib.sha256(about.encode()).hexdigest()[:16]}"


class OnDemand:
    """Pixels (N, S, S, 3) of the faces of a set, by their number; what is not packed yet is packed when it is read.

    Parameters
    ----------
    faces : FaceDataset
        All N of them, not packed.
    folder : Path
        See `parts_folder`.
    size : int
        Side in pixels.
    progress : Progress
        Told of whatever is packed, now or later; may raise to stop.
    """

    def __init__(self, faces: FaceDataset, folder: Path, size: int, progress: Progress = silent) -> None:
        self.folder, self.size, self.progress = folder, size, progress
        self.shape, self.dtype = (len(faces), size, size, 3), np.dtype(np.uint8)
        self._faces = replace(stamped(faces), attributes=faces.attributes.iloc[:, :0], identity=None, packed=None)
        self._names = pd.Index(faces.names)
        self._parts: list[Path] = []
        self._part = np.full(len(faces), _NOWHERE, dtype=np.int32)
        self._row = np.zeros(len(faces), dtype=np.int32)
        self._found = np.zeros((len(faces), DIGEST_BYTES), dtype=np.uint8)
        self._reasons: dict[int, str] = {}
        self._turn = threading.RLock()  # pages of several sessions share a set
        self._look()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[Any] | Sequence[int] | int) -> NDArray[np.uint8]:
        """Return a copy of the pixels of some faces, in their order; a slice, numbers, or one number.

        Raises
        ------
        FairsalError
            If one of them does not decode.
        """
        wanted = np.arange(len(self))[rows]
        numbers = np.atleast_1d(wanted)
        with self._turn:
            self._pack(numbers)
            for number in numbers.tolist():
                if number in self._reasons:
                    raise FairsalError(self._reasons[number])
            copied = self._read(numbers)
        return copied if wanted.ndim else copied[0]

    def digests(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the SHA-256 (n, 32) of some faces' files, as they were decoded."""
        with self._turn:
            self._pack(rows)
            return self._found[rows]

    def unreadable(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some faces do not decode."""
        with self._turn:
            self._pack(rows)
            return np.array([row in self._reasons for row in rows.tolist()], dtype=bool)

    def reasons(self) -> dict[str, str]:
        """Return file name and reason for each image that is known not to decode."""
        return {str(self._names[row]): reason for row, reason in sorted(self._reasons.items())}

    def lacks(self, rows: NDArray[np.int64]) -> bool:
        """Return whether some of these faces are not packed."""
        return bool((self._part[rows] == _NOWHERE).any())

    def _look(self) -> None:
        """Take in what others have packed."""
        for path in sorted(self.folder.glob("*.json")):
            if path.with_suffix("") not in self._parts:
                with suppress(*UNREADABLE):  # it is packed again
                    content = read_json(path, MOST_TABLE)
                    self._take_in(path.with_suffix(""), content["names"], np.array(content["stamps"], dtype=np.int64))

    def _take_in(self, part: Path, names: list[str], stamps: NDArray[np.int64]) -> None:
        digests, undecodable = known_of(part)
        if not len(digests) == len(names) == len(stamps):
            return
        at = self._names.get_indexer(pd.Index(names))
        assert self._faces.stamps is not None
        same = (at >= 0) & (self._faces.stamps[at] == stamps).all(axis=1)
        inside = np.flatnonzero(same)
        inside = inside[self._part[at[inside]] == _NOWHERE]
        self._parts.append(part)
        self._part[at[inside]], self._row[at[inside]] = len(self._parts) - 1, inside
        self._found[at[inside]] = digests[inside]
        for row in inside.tolist():
            if names[row] in undecodable:
                self._reasons[int(at[row])] = undecodable[names[row]]

    def _pack(self, rows: NDArray[np.int64]) -> None:
        """Pack those of some faces that are not."""
        if not self.lacks(rows):
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        said = f"Another process packs some of {self._faces.name}: waiting for it"
        # A second one waits, and then finds it done.
        with holding(self.folder / "lock", lambda: self.progress(0, len(rows), said)):
            self._look()
            missing = np.unique(rows[self._part[rows] == _NOWHERE])
            for start in range(0, len(missing), PART):
                some = self._faces.take(missing[start : start + PART])
                part = self.folder / files_key(some, self.size)
                packed_files(some, part, self.size, part_of(self.progress, start, len(missing)))
                assert some.stamps is not None
                names = [str(name) for name in some.names]
                write_json(part.with_suffix(".json"), {"names": names, "stamps": some.stamps.tolist()})
                self._take_in(part, names, some.stamps)

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        copied = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        for part in np.unique(self._part[numbers]):
            inside = np.flatnonzero(self._part[numbers] == part)
            pixels = self._open(int(part))
            copied[inside] = pixels[self._row[numbers[inside]]]
        return copied

    def _open(self, part: int) -> NDArray[np.uint8]:
        """Return the pixels of a part; one that is damaged, which is said, is packed again."""
        folder = self._parts[part]
        try:
            return open_pixels(folder, self.size)
        except UNREADABLE:
            before = self._found[self._part == part]
        content = read_json(folder.with_suffix(".json"), MOST_TABLE)
        at = self._names.get_indexer(pd.Index(content["names"]))
        if (at < 0).any():  # it was made of more than there is now
            raise FairsalError(
                f"What was packed of {self._faces.name} in {folder} is damaged; delete it, and start again."
            )
        packed_files(self._faces.take(at), folder, self.size, self.progress)
        if not np.array_equal(known_of(folder)[0][self._row[self._part == part]], before):
            raise FairsalError(f"The files of {self._faces.name} changed while they were read; start again.")
        return open_pixels(folder, self.size)
