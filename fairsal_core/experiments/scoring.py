"""The stage that scores faces: what a subject says of a face is kept by subject, face and what is hidden from it.

Which faces are asked for depends on the question, so scores are found face by face: a second question about other cells of the
same faces costs no forward pass for those that were scored before.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import CLASSIFIERS, Subject, Treatment, predict_scores
from fairsal_core.faces import FaceDataset, pixels_digest
from fairsal_core.progress import Progress, silent
from fairsal_core.runs import Stage, kept_artifacts, note
from fairsal_core.versions import STAGES

_STAGE = "scores"
_SCORES, _FACES = "scores.npy", "faces.npy"
_AT_ONCE = 2048  # faces: 100 MB of pixels, whatever the set's size


@dataclass(frozen=True)
class Hiding:
    """Something that is hidden from faces before they are scored.

    Attributes
    ----------
    name : str
        As tables call it.
    treatment : Treatment
        Of all faces alike.
    key : mapping
        JSON-able: all that tells it from other hidings.
    """

    name: str
    treatment: Treatment
    key: Mapping[str, Any]


def scores_of(
    subject: Subject,
    faces: FaceDataset,
    hiding: Hiding | None,
    device: torch.device,
    progress: Progress = silent,
) -> NDArray[np.float32]:
    """Return the subject's probability of the target for each face (N,), computing only what no question before has.

    Parameters
    ----------
    subject : Subject
        Loaded when there is something to compute.
    faces : FaceDataset
        Packed, or packed when wanted; a part at a time is read.
    hiding : Hiding or None
        None for clean faces.
    device : torch.device
        Where to compute.
    progress : Progress
        Told in faces; raises to stop.
    """
    names = _names_of(faces)
    kept = _kept(subject, hiding, device)
    missing = np.array([place for place, name in enumerate(names) if name not in kept], dtype=np.int64)
    for start in range(0, len(missing), _AT_ONCE):
        part = faces.take(missing[start : start + _AT_ONCE])
        kept |= _stage(subject, part, hiding, device).make()
        progress(min(start + _AT_ONCE, len(missing)), len(missing), f"{subject.name}: faces scored")
    return np.array([kept[name] for name in names], dtype=np.float32)


def _names_of(faces: FaceDataset) -> list[bytes]:
    """Return what each face's picture is known by: the digest of its file."""
    digests = faces.file_digests
    if digests is None:  # of no file: by its pixels
        return [hashlib.sha256(image.tobytes()).digest() for image in faces.images]
    return [digest.tobytes() for digest in digests]


def _depends_on(subject: Subject, hiding: Hiding | None, device: torch.device) -> dict[str, Any]:
    return {
        "subject": subject.digest,
        "hiding": json.loads(json.dumps(hiding.key)) if hiding else None,
        "packing": STAGES["packing"],
        "device": device.type,
        "extension": CLASSIFIERS.origin(subject.architecture),
    }


def _stage(
    subject: Subject, faces: FaceDataset, hiding: Hiding | None, device: torch.device
) -> Stage[dict[bytes, float]]:
    depends_on = {**_depends_on(subject, hiding, device), "faces": pixels_digest(faces)}

    def build(folder: Path, progress: Progress) -> None:
        network = subject.load().to(device)
        scores = predict_scores(network, faces.images, hiding.treatment if hiding else None, subject.seed)
        np.save(folder / _SCORES, scores)
        np.save(folder / _FACES, np.frombuffer(b"".join(_names_of(faces)), dtype=np.uint8).reshape(len(faces), -1))

    return Stage(_STAGE, STAGES[_STAGE], depends_on, build, _read)


def _kept(subject: Subject, hiding: Hiding | None, device: torch.device) -> dict[bytes, float]:
    """Return what is kept of this subject under this hiding: face -> score."""
    wanted = {"version": STAGES[_STAGE], **_depends_on(subject, hiding, device)}
    found: dict[bytes, float] = {}
    for folder, identity in kept_artifacts(_STAGE):
        if wanted.items() <= identity.items():
            note(_STAGE, folder.name)
            found |= _read(folder)
    return found


def _read(folder: Path) -> dict[bytes, float]:
    names, scores = np.load(folder / _FACES), np.load(folder / _SCORES)
    return {name.tobytes(): float(score) for name, score in zip(names, scores, strict=True)}
