"""Looking at a folder by another process, with limits on its time and memory."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fairsal_core
from fairsal_core.classifiers.imported.contents import look_into
from fairsal_core.classifiers.imported.limits import MEMORY, MOST_WRITTEN, SECONDS, written_by
from fairsal_core.classifiers.imported.manifest import FRAME, SETTINGS, Manifest, as_manifest
from fairsal_core.classifiers.imported.offline import OFFLINE
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.files import read_json
from fairsal_core.progress import Progress, silent

_PROGRAM = "fairsal_core.classifiers.imported.child"
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Inspection:
    """What was found in a folder.

    Attributes
    ----------
    content : dict
        Of a manifest, as far as it can be read or was said.
    assumed, questions : tuples of str
        What was taken to be so; what has to be said before it can be used.
    ignored : tuple of str
        Files that were not opened.
    check : dict
        See `check_network`; empty while there are questions.
    seconds : float
        How long it took.
    memory : int
        The most bytes that the process had.
    """

    content: dict[str, Any]
    assumed: tuple[str, ...]
    questions: tuple[str, ...]
    ignored: tuple[str, ...]
    check: dict[str, Any]
    seconds: float
    memory: int

    @property
    def manifest(self) -> Manifest:
        """The manifest; FairsalError with the questions, if there are some."""
        if self.questions:
            raise FairsalError("Say " + "; and ".join(self.questions) + ".")
        return as_manifest(self.content)


def inspect_folder(
    folder: Path,
    said: Mapping[str, Any] | None = None,
    faces: NDArray[np.uint8] | None = None,
    progress: Progress = silent,
) -> Inspection:
    """Return what a folder holds, read and tried by another process.

    Parameters
    ----------
    folder : Path
        Of the classifier.
    said : mapping, optional
        What its files do not say, by the names of SETTINGS.
    faces : array, (8, 128, 128, 3) uint8, optional
        To compare with the library's own pipeline on; drawn ones by default.
    progress : Progress
        Called while it works; may raise to stop.

    Raises
    ------
    FairsalError
        One sentence on why it cannot be used.
    """
    said = dict(said or {})
    for key in said:
        if key.rpartition(".")[2] not in SETTINGS:
            raise unknown_name("setting of a classifier", key.rpartition(".")[2], SETTINGS)
    folder = Path(folder)
    weights = str(said.get("weights", ""))
    look_into(folder, weights)  # what is no use is said at once, and no process is started
    with tempfile.TemporaryDirectory(prefix="fairsal-") as place:
        given = Path(place) / "faces.npy"
        np.save(given, _some_faces() if faces is None else faces)
        request = {"folder": str(folder.resolve()), "weights": weights, "said": said, "faces": str(given)}
        return _asked(request, Path(place), progress)


def _some_faces() -> NDArray[np.uint8]:
    from fairsal_core.drawing import draw_face

    faces = [draw_face(0, index).image.resize((FRAME, FRAME)) for index in range(1, 9)]
    return np.stack([np.asarray(face) for face in faces])


def _asked(request: dict[str, Any], place: Path, progress: Progress) -> Inspection:
    question, answer = place / "request.json", place / "answer.json"
    question.write_text(json.dumps(request), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", _PROGRAM, str(question), str(answer)],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(place),
    )
    try:
        memory = _watch(process, progress)
    finally:
        process.kill()
        process.wait()
    try:
        found = read_json(answer)
    except (OSError, ValueError):
        raise FairsalError(
            f"Reading the classifier ended its process (status {process.returncode}): the file is damaged, or far too large here."
        ) from None
    if "error" in found:
        raise FairsalError(found["error"])
    return Inspection(
        found["content"],
        tuple(found["assumed"]),
        tuple(found["questions"]),
        tuple(found["ignored"]),
        found.get("check", {}),
        found["seconds"],
        memory,
    )


def _environment(place: Path) -> dict[str, str]:
    root = str(Path(fairsal_core.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    homes = {name: str(place) for name in ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME")}
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore", "PYTHONIOENCODING": "utf-8"}
    return {**os.environ, **OFFLINE, **homes, **quiet, "PYTHONPATH": path}


def _watch(process: "subprocess.Popen[bytes]", progress: Progress) -> int:
    """Wait for a process, and return the most memory that it had; it is stopped when it passes a limit."""
    import psutil

    started, most, written = time.monotonic(), 0, 0
    while process.poll() is None:
        with suppress(psutil.Error):
            seen = psutil.Process(process.pid)
            most, written = max(most, seen.memory_info().rss), written_by(seen)
        elapsed = time.monotonic() - started
        if elapsed > SECONDS:
            raise FairsalError(f"Reading the classifier took more than {SECONDS:.0f} s and was stopped.")
        if most > MEMORY:
            raise FairsalError(
                f"Reading the classifier took more than {MEMORY / 2**30:.0f} GB of memory and was stopped."
            )
        if written > MOST_WRITTEN:
            raise FairsalError(f"Reading the classifier wrote more than {MOST_WRITTEN / 2**20:.0f} MB and was stopped.")
        # How long it may take says nothing of how long it takes: no share is done, and no time left is told.
        progress(0, 1, f"reading the classifier, at most {SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return most
