"""What mitigation methods take: each is tried on few faces, and on three times as many."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from fairsal_core.faces import FaceDataset, balanced_test, equal_cells
from fairsal_core.mitigation import LabelledFaces, mitigate
from fairsal_core.settings import MethodChoice

_PROBED_PER_CELL = (4, 12)


class MethodCost(NamedTuple):
    """Seconds that a mitigation method takes whatever it gets, and for each face that it learns from or chooses on."""

    fixed: float
    a_face: float

    def seconds(self, faces: int) -> float:
        """Return how long it takes with so many faces."""
        return self.fixed + self.a_face * faces


def costs_of_methods(
    choices: Sequence[MethodChoice], classifier: nn.Module, faces: FaceDataset, target: str, confounder: str
) -> dict[str, MethodCost]:
    """Return method -> what it costs; empty where the train split has too few faces to try."""
    if not choices:
        return {}
    train = faces.with_label(target, confounder).in_split("train")
    most = max(_PROBED_PER_CELL)
    if equal_cells(train.listed, target, confounder, most) < most:
        return {}
    few, more = (balanced_test(train, target, confounder, each, split="train") for each in _PROBED_PER_CELL)
    costs = {}
    for choice in choices:
        short, long = (_seconds(classifier, choice, some, target, confounder) for some in (few, more))
        a_face = max(long - short, 0.0) / (len(more) - len(few))
        costs[choice.name] = MethodCost(max(short - a_face * len(few), 0.0), a_face)
    return costs


def _seconds(classifier: nn.Module, choice: MethodChoice, faces: FaceDataset, target: str, confounder: str) -> float:
    """Return how long a method takes that learns from half of these faces and chooses on the other, however it ends."""
    fit, validation = (
        LabelledFaces(half.images, half.labels(target), half.labels(confounder))
        for half in (faces.take(range(begin, len(faces), 2)) for begin in (0, 1))
    )
    return mitigate(classifier, choice.method, fit, validation, choice.settings).seconds
