"""What every mitigation method shares: the faces it gets, its settings' base, what it gives back."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from fairsal_core.classifiers import predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.tensors import resident, to_unit


class Batch(NamedTuple):
    """Images (N, 3, S, S) in [0, 1], or whatever else the classifier takes, with their labels (N,) bool."""

    images: Tensor
    target: Tensor
    confounder: Tensor


class Faces(Protocol):
    """Faces that something learns from or is judged on: pictures (`LabelledFaces`), or what a network makes of them."""

    @property
    def target(self) -> NDArray[np.bool_]: ...

    @property
    def confounder(self) -> NDArray[np.bool_]: ...

    def __len__(self) -> int: ...

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> Batch:
        """Return these rows on a device."""
        ...

    def scores(self, classifier: nn.Module) -> NDArray[np.float32]:
        """Return the probability of the target attribute for each, (N,), in eval mode."""
        ...


@dataclass(frozen=True)
class LabelledFaces:
    """Faces with what a method may know about them.

    Attributes
    ----------
    images : array, (N, S, S, 3) uint8
        Faces.
    target, confounder : arrays, (N,) bool
        Whether each has the target attribute, and the confounder.
    """

    images: NDArray[np.uint8]
    target: NDArray[np.bool_]
    confounder: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.target) == len(self.confounder):
            raise FairsalError(
                f"Images, target and confounder differ in number: {len(self.images)}, {len(self.target)}, "
                f"{len(self.confounder)}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: NDArray[np.int64], device: torch.device) -> Batch:
        """Return the faces in these rows, on a device."""
        return Batch(to_unit(resident(self.images[rows], device)).contiguous(), *labels_of(self, rows, device))

    def scores(self, classifier: nn.Module) -> NDArray[np.float32]:
        """Return the probability of the target attribute for each face, (N,), in eval mode."""
        return predict_scores(classifier, self.images)


def labels_of(faces: Faces, rows: NDArray[np.int64], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return target and confounder (n,) bool of these rows, on a device."""
    target, confounder = (torch.from_numpy(labels[rows]).to(device) for labels in (faces.target, faces.confounder))
    return target, confounder


ChooseBy = Literal["equalized_odds", "worst_group", "worst_class"]


def chosen_by(default: ChooseBy) -> Any:
    """Return the field of the settings that says what a method chooses by."""
    return Field(
        default,
        description="what is chosen by on the validation faces: the equalized odds difference within the tolerance, the "
        "accuracy of the worst group, or, without a look at groups, that of the worse class",
    )


class MitigationSettings(BaseModel):
    """Base of all methods' settings: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tolerance: float = Field(
        0.02, ge=0, le=1, description="accuracy on the validation faces that a candidate may give up"
    )
    choose_by: ChooseBy = chosen_by("equalized_odds")

    @property
    def on_features(self) -> bool:
        """Whether the method learns the last layer alone, from what goes into it."""
        return False


@dataclass(frozen=True)
class Trial:
    """One candidate of a search, judged on the validation faces; `problem` says why it has no numbers."""

    settings: Mapping[str, Any]
    accuracy: float = float("nan")
    worst_cell: float = float("nan")
    equalized_odds_difference: float = float("nan")
    worst_class: float = float("nan")
    chosen: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Applied:
    """A method's result: the classifier, what its search saw, and numbers about it (such as a CAV's separability)."""

    classifier: nn.Module
    trace: tuple[Trial, ...]
    diagnostics: Mapping[str, float] = field(default_factory=dict)


Apply = Callable[..., Applied]
"""(classifier, fit faces, validation faces, settings, *, seed, progress) -> Applied; the classifier is never touched."""


def device_of(classifier: nn.Module) -> torch.device:
    """Return the device a classifier's weights lie on."""
    weights = next(classifier.parameters(), None)
    return torch.device("cpu") if weights is None else weights.device


def image_batches(images: NDArray[np.uint8], device: torch.device, size: int) -> Iterator[Tensor]:
    """Give images in order, (n, 3, S, S) in [0, 1] on the device."""
    for start in range(0, len(images), size):
        yield to_unit(resident(images[start : start + size], device)).contiguous()
