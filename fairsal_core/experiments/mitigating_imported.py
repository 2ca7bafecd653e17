"""Mitigating a classifier from elsewhere: methods applied to it, and what they made stored beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fairsal_core.classifiers import Manifest, find_stored, imported_subject, store_mitigated
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.mitigating import MitigationFaces, mitigated
from fairsal_core.faces import CellCounts, FaceDataset, balanced_test, biased_subset, equal_cells
from fairsal_core.mitigation import METHODS, Given, Mitigation, unmet
from fairsal_core.progress import Progress, silent
from fairsal_core.settings import MethodChoice

_VALIDATION_PER_CELL = 200
_SEED = 0


@dataclass(frozen=True)
class Made:
    """How a method ended on an imported classifier, and what is stored of it, if anything is."""

    choice: MethodChoice
    outcome: str
    reason: str
    stored: Manifest | None = None


def mitigate_imported(
    named: str,
    faces: MitigationFaces,
    choices: Sequence[MethodChoice],
    device: torch.device,
    progress: Progress = silent,
) -> list[Made]:
    """Apply methods to an imported classifier, and store what they make in its own format.

    Parameters
    ----------
    named : str
        Digest or name of a stored classifier.
    faces : MitigationFaces
        What methods learn from, and what they choose on; see `faces_to_mitigate`.
    choices : sequence of MethodChoice
        Methods with their settings; one that lacks something fails with a sentence, and the others go on.
    device : torch.device
        Where to compute.
    progress : Progress
        Called by the methods; may raise to stop.

    Raises
    ------
    FairsalError
        If there is no such classifier.
    """
    parent, subject = find_stored(named), imported_subject(named)
    given = Given(subject)
    made = []
    for choice in choices:
        if missing := unmet(METHODS.find(choice.method).needs, given):
            made.append(Made(choice, "failed", _lacks(choice.method, missing, parent)))
            continue
        made.append(_stored(choice, mitigated(subject, choice, faces, device, progress), parent))
    return made


def _lacks(method: str, missing: Sequence[str], parent: Manifest) -> str:
    if "a layer" in missing:
        return (
            f"{method} works on a layer whose activations are maps, and {parent.architecture} has no named one; thresholds and "
            "fine-tuning need none."
        )
    return f"{method} needs {' and '.join(missing)}."


def _stored(choice: MethodChoice, done: Mitigation, parent: Manifest) -> Made:
    if done.classifier is None:
        return Made(choice, done.outcome, done.reason)
    try:
        return Made(choice, done.outcome, done.reason, store_mitigated(done.classifier.cpu(), parent, choice.name))
    except FairsalError as error:
        return Made(choice, "failed", str(error))


def faces_to_mitigate(faces: FaceDataset, target: str, confounder: str, count: int) -> MitigationFaces:
    """Return faces of the train split to learn from, in cells as equal as they allow, and of the validation split to choose on.

    Raises
    ------
    FairsalError
        If a cell of either has no face.
    """
    per_cell = equal_cells(faces.in_split("train"), target, confounder, max(1, count // 4))
    fit = biased_subset(faces, target, confounder, CellCounts.equal(max(1, per_cell)), seed=_SEED)
    held = equal_cells(faces.in_split("val"), target, confounder, _VALIDATION_PER_CELL)
    validation = balanced_test(faces, target, confounder, max(1, held), split="val", seed=_SEED)
    return MitigationFaces(fit, validation, target, confounder)
