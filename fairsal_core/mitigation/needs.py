"""What mitigation methods need, and whether a subject and its faces have it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fairsal_core.classifiers import Subject
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.layers import stages

_SIDE = 128


@dataclass(frozen=True)
class Given:
    """What a method is to work with.

    Attributes
    ----------
    subject : Subject
        The classifier.
    confounder_labels : bool
        Whether the faces that it learns from say who has the confounder.
    groups_at_validation : bool
        Whether those that it chooses on do.
    groups_at_prediction : bool
        Whether whoever predicts knows the group of each face.
    """

    subject: Subject
    confounder_labels: bool = True
    groups_at_validation: bool = True
    groups_at_prediction: bool = True


def has_layer(given: Given) -> bool:
    """Return whether the network has a layer whose activations are maps."""
    grey = np.full((1, _SIDE, _SIDE, 3), 128, dtype=np.uint8)
    try:
        return bool(stages(given.subject.load(), grey))
    except FairsalError:
        return False


NEEDS: Mapping[str, Callable[[Given], bool]] = {
    "confounder labels": lambda given: given.confounder_labels,
    "groups at validation": lambda given: given.groups_at_validation,
    "a layer": has_layer,
    "groups at prediction": lambda given: given.groups_at_prediction,
}
"""What a method may say that it needs -> whether that is given. Anything else that it says is not."""


def unmet(needs: Iterable[str], given: Given) -> list[str]:
    """Return those of a method's needs that are not met."""
    return [need for need in needs if need not in NEEDS or not NEEDS[need](given)]
