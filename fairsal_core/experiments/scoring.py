"""The stage that scores faces: what a subject says of a face is kept by subject, face and what is hidden from it.

Which faces are asked for depends on the question, so what is kept is found face by face: a second question about other cells of
the same faces costs no forward pass for those that were seen before. One pass leaves all that later questions want of it: two
logits, and what goes into the last layer, where that is a linear one with two outputs. The score follows from the logits.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairsal_core.classifiers import CLASSIFIERS, Subject, Treatment, predict_logits, scores_from
from fairsal_core.faces import FaceDataset, pixels_digest
from fairsal_core.mitigation import last_linear, seen_by
from fairsal_core.progress import Progress, silent
from fairsal_core.runs import Stage, kept_artifacts, note
from fairsal_core.versions import STAGES

_STAGE = "scores"
_LOGITS, _FEATURES, _FACES = "logits.npy", "features.npy", "faces.npy"
AT_ONCE = 2048  # faces: 100 MB of pixels, and of 512 features 4 MB, whatever the set's size
_CPU = torch.device("cpu")
Place = tuple[Path, int]  # of a face: the artifact, and its row there


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


@dataclass(frozen=True)
class Said:
    """What a subject says of faces: read, where it is wanted, from the artifacts that it is kept in.

    Attributes
    ----------
    places : sequence of (Path, int)
        Of each face: the artifact, and its row there.
    """

    places: Sequence[Place]

    @property
    def logits(self) -> NDArray[np.float32]:
        """Without and with the target, (N, 2) float32."""
        found = self._gathered(_LOGITS)
        return np.empty((0, 2), np.float32) if found is None else found

    @property
    def scores(self) -> NDArray[np.float32]:
        """The probability of the target, (N,) float32."""
        return scores_from(self.logits)

    @property
    def features(self) -> NDArray[np.float32] | None:
        """What goes into the last layer, (N, D) float32, flat; None if that is not a linear one with two outputs."""
        return self._gathered(_FEATURES)

    def _gathered(self, name: str) -> NDArray[np.float32] | None:
        by_folder: dict[Path, list[int]] = {}
        for number, (folder, _) in enumerate(self.places):
            by_folder.setdefault(folder, []).append(number)
        found: NDArray[np.float32] | None = None
        for folder, numbers in by_folder.items():
            if not (folder / name).is_file():
                return None
            kept = np.load(folder / name, mmap_mode="r")
            if found is None:
                found = np.empty((len(self.places), kept.shape[1]), np.float32)
            found[numbers] = kept[[self.places[number][1] for number in numbers]]
        return found


@dataclass(frozen=True)
class Part:
    """Some faces to score: all that is needed beside the network.

    Attributes
    ----------
    faces : FaceDataset
        At most `AT_ONCE`.
    hiding : Hiding or None
        None for clean faces.
    seed : int
        Fixes the noise.
    depends_on : dict
        What its artifact's key is the hash of.
    """

    faces: FaceDataset
    hiding: Hiding | None
    seed: int
    depends_on: dict[str, Any]


Engine = Callable[[nn.Module, list[Part], Progress], None]
"""(network on its device, parts, progress told in faces): has `score_part` done for each part, somewhere."""


def scores_of(
    subject: Subject,
    faces: FaceDataset,
    hiding: Hiding | None,
    device: torch.device,
    progress: Progress = silent,
    engine: Engine | None = None,
) -> NDArray[np.float32]:
    """Return the subject's probability of the target for each face (N,), as `said_of` finds it."""
    return said_of(subject, faces, hiding, device, progress, engine).scores


def said_of(
    subject: Subject,
    faces: FaceDataset,
    hiding: Hiding | None = None,
    device: torch.device = _CPU,
    progress: Progress = silent,
    engine: Engine | None = None,
) -> Said:
    """Return what the subject says of each face, computing only what no question before has.

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
    engine : callable, optional
        What scores the parts that are missing; by default this process, one after the other.
    """
    names = _names_of(faces)
    kept = _kept(subject, hiding, device)
    missing = np.array([place for place, name in enumerate(names) if name not in kept], dtype=np.int64)
    if len(missing):
        chosen = [faces.take(missing[start : start + AT_ONCE]) for start in range(0, len(missing), AT_ONCE)]
        about = _depends_on(subject, hiding, device)
        parts = [Part(part, hiding, subject.seed, {**about, "faces": pixels_digest(part)}) for part in chosen]

        def told(done: float, total: float, message: str = "") -> None:
            progress(done, total, f"{subject.name}: {message}")

        (engine or score_here)(subject.load().to(device), parts, told)
        kept = _kept(subject, hiding, device)
    return Said([kept[name] for name in names])


def score_here(network: nn.Module, parts: list[Part], progress: Progress) -> None:
    """Score parts one after the other in this process."""
    total, done = sum(len(part.faces) for part in parts), 0
    for part in parts:
        score_part(network, part)
        done += len(part.faces)
        progress(done, total, "faces scored")


def score_part(network: nn.Module, part: Part) -> None:
    """Score a part, unless that was done: what every engine does."""

    def build(folder: Path, progress: Progress) -> None:
        faces, treatment = part.faces, part.hiding.treatment if part.hiding else None
        layer = last_linear(network.eval(), faces.images)
        seen: AbstractContextManager[list[Tensor]] = seen_by(layer) if layer else nullcontext([])
        with seen as features:
            logits = predict_logits(network, faces.images, treatment, part.seed)
        np.save(folder / _LOGITS, logits)
        if features:
            np.save(folder / _FEATURES, torch.cat(features).cpu().numpy())
        np.save(folder / _FACES, np.frombuffer(b"".join(_names_of(faces)), dtype=np.uint8).reshape(len(faces), -1))

    Stage(_STAGE, STAGES[_STAGE], part.depends_on, build, read=Path).make()


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


def _kept(subject: Subject, hiding: Hiding | None, device: torch.device) -> dict[bytes, Place]:
    """Return where what this subject says under this hiding is kept: face -> place."""
    wanted = {"version": STAGES[_STAGE], **_depends_on(subject, hiding, device)}
    found: dict[bytes, Place] = {}
    for folder, identity in kept_artifacts(_STAGE):
        if wanted.items() <= identity.items():
            note(_STAGE, folder.name)
            found |= _read(folder)
    return found


def _read(folder: Path) -> dict[bytes, Place]:
    return {name.tobytes(): (folder, row) for row, name in enumerate(np.load(folder / _FACES))}
