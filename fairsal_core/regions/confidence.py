"""How sure a region classifier is: four measures of one patch's logits, each in [0, 1].

The paper's equation 4 has the wrong sign (as printed it is the entropy itself); what is meant, and what the authors' code
computes, is the negative entropy. `information_gain` is ours: with an attribute that 6% of faces have, the other three call
every patch confident, because saying "no" is nearly always right.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairsal_core.errors import FairsalError
from fairsal_core.registry import Registry

DEFAULT_MEASURE = "information_gain"
"""Of maps: the others call a patch that knows nothing confident, wherever one class is rare."""

Array = TypeVar("Array", NDArray[np.floating], Tensor)


def top_softmax(log_probabilities: Tensor, prior: Tensor) -> Tensor:
    """Return the probability of the likeliest class."""
    return log_probabilities.amax(dim=-1).exp()


def margin(log_probabilities: Tensor, prior: Tensor) -> Tensor:
    """Return the likeliest class's probability less the runner-up's."""
    top = log_probabilities.topk(2, dim=-1).values.exp()
    return top[..., 0] - top[..., 1]


def negative_entropy(log_probabilities: Tensor, prior: Tensor) -> Tensor:
    """Return 1 - H(p) / log C: 0 for a uniform guess, 1 for certainty."""
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=-1)
    return 1 - entropy / math.log(log_probabilities.shape[-1])


def information_gain(log_probabilities: Tensor, prior: Tensor) -> Tensor:
    """Return KL(p || prior) over its largest possible value: 0 where the patch tells nothing that the base rate did not."""
    divergence = (log_probabilities.exp() * (log_probabilities - prior.log())).sum(dim=-1)
    return divergence / -prior.log().amin()


@dataclass(frozen=True)
class Measure:
    """A confidence measure and how to describe it."""

    name: str
    description: str
    compute: Callable[[Tensor, Tensor], Tensor]


MEASURES = Registry(
    "confidence measure",
    "fairsal.measures",
    Measure,
    (
        Measure("information_gain", "What the patch adds to the base rate.", information_gain),
        Measure(
            "negative_entropy",
            "One less the normalised entropy (De Coninck et al. 2024, eq. 4 with its sign mended).",
            negative_entropy,
        ),
        Measure("top_softmax", "Probability of the likeliest class (eq. 2).", top_softmax),
        Measure("margin", "Likeliest class less the runner-up (eq. 3).", margin),
    ),
)


def confidence(logits: Array, measure: str = "negative_entropy", prior: Sequence[float] | None = None) -> Array:
    """Return how sure the classifier is, per patch.

    Parameters
    ----------
    logits : array or tensor, (..., C)
        Unnormalised class scores.
    measure : str
        "negative_entropy", "top_softmax", "margin" or "information_gain".
    prior : sequence of C floats, optional
        Class frequencies, for `information_gain`; by default uniform.

    Returns
    -------
    array or tensor, (...,)
        In [0, 1], same kind as `logits`.
    """
    measured_by = MEASURES.find(measure)
    scores = logits if isinstance(logits, Tensor) else torch.from_numpy(np.array(logits))  # copied: may be read-only
    classes = scores.shape[-1] if scores.ndim else 0
    if classes < 2:
        raise FairsalError(
            f"Confidence needs logits of at least 2 classes in the last axis, got shape {tuple(scores.shape)}."
        )
    log_probabilities = scores.to(torch.float64 if scores.dtype == torch.float64 else torch.float32).log_softmax(dim=-1)
    frequencies = log_probabilities.new_tensor([1 / classes] * classes if prior is None else list(prior))
    if frequencies.shape != (classes,) or not bool((frequencies > 0).all()):
        raise FairsalError(f"The prior needs {classes} frequencies above 0, got {frequencies.tolist()}.")
    result = measured_by.compute(log_probabilities, frequencies / frequencies.sum()).clamp(0, 1)
    return result if isinstance(logits, Tensor) else result.numpy()
