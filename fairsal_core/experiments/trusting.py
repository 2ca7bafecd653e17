"""What is explained with in the place of LRP where LRP cannot be trusted."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import CLASSIFIERS, Subject
from fairsal_core.progress import Progress
from fairsal_core.saliency import INSTEAD, why_no_lrp
from fairsal_core.settings import ExplainerChoice

MODULES, GRAPH = "lrp", "lrp_graph"
_SEED = 0


def trusted_choices(
    choice: ExplainerChoice,
    subjects: Iterable[Subject],
    faces: tuple[NDArray[np.uint8], NDArray[np.int64]],
    device: torch.device,
    progress: Progress,
) -> tuple[list[ExplainerChoice], str]:
    """Return what to explain with when somebody chose this, and why it is something else; no words where it is not.

    LRP by modules knows the registered architectures; where a subject is of another, all are explained by the graph of
    their operations, so that they can be compared. Where that fails a check for one of them, Integrated Gradients and
    occlusion take its place for all.

    Parameters
    ----------
    choice : ExplainerChoice
        What was chosen; anything but LRP stays.
    subjects : iterable of Subject
        Who are explained; one of each architecture is looked at.
    faces : (images (N, H, W, 3) uint8, labels (N,) int)
        Some of the faces.
    """
    if choice.method not in (MODULES, GRAPH):
        return [choice], ""
    kinds = {subject.architecture: subject for subject in reversed(list(subjects))}
    if choice.method == MODULES and CLASSIFIERS.keys() >= kinds.keys():
        return [choice], ""
    if choice.method == MODULES:
        settings = {"epsilon": getattr(choice.settings, "epsilon", None)}
        choice = ExplainerChoice.model_validate({"method": GRAPH, "settings": settings})
    for subject in kinds.values():
        network, random = subject.load().to(device), subject.untrained(_SEED).to(device)
        reason = why_no_lrp(network, random, *faces, choice.settings, progress)
        if reason:
            words = f"{choice.name} is left out for {subject.name}. {reason} {' and '.join(INSTEAD)} are shown instead."
            return [ExplainerChoice.model_validate(method) for method in INSTEAD], words
    return [choice], ""
