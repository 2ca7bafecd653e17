"""Calibration: does a classifier that is 80% sure turn out right 80% of the time?

*Top-label*: the confidence is the probability of the predicted class, and what is checked is whether that class is the right one
(Guo et al. 2017, *On Calibration of Modern Neural Networks*). Bins are of equal width over [0, 1].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from fairsal_core.errors import FairsalError

BINS = 100  # De Coninck et al. 2024
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: what fell into each of B bins of confidence. Two of them add up.

    Attributes
    ----------
    count : array, (B,) int
        Predictions in each bin: the histogram of confidences.
    confidence, correct : array, (B,)
        Sum of their confidences, and how many were right.
    """

    count: NDArray[np.int64]
    confidence: NDArray[np.float64]
    correct: NDArray[np.int64]

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(self.count + other.count, self.confidence + other.confidence, self.correct + other.correct)

    @property
    def mean_confidence(self) -> NDArray[np.float64]:
        """Mean confidence in each bin (B,); NaN where it is empty."""
        return self.confidence / np.where(self.count, self.count, np.nan)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share that was right in each bin (B,); NaN where it is empty."""
        return self.correct / np.where(self.count, self.count, np.nan)


def reliability(confidence: NDArray[np.floating], correct: NDArray[np.bool_], bins: int = BINS) -> Reliability:
    """Sort predictions into bins [b / B, (b + 1) / B) of confidence; 1 belongs to the last.

    Parameters
    ----------
    confidence : array, (M,)
        Probability of the predicted class, in [0, 1].
    correct : array, (M,) bool
        Whether the predicted class was the right one.
    bins : int
        B, at least 1.

    Raises
    ------
    FairsalError
        If the two differ in shape, or a confidence is no probability.
    """
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise FairsalError(
            f"Confidence and correctness need one shape (M,), got {confidence.shape} and {correct.shape}."
        )
    if confidence.size and not (confidence.min() >= 0 and confidence.max() <= 1):
        raise FairsalError("Confidence must lie in [0, 1].")
    edges = np.linspace(0, 1, bins + 1)
    number = np.searchsorted(edges[1:-1], confidence, side="right")
    return Reliability(
        np.bincount(number, minlength=bins),
        np.bincount(number, weights=confidence, minlength=bins).astype(np.float64),
        np.bincount(number[correct], minlength=bins),
    )


def expected_calibration_error(diagram: Reliability) -> float:
    """Return the mean distance of accuracy and confidence over bins, weighed by how much is in them; NaN if nothing is.

    References
    ----------
    Naeini et al. (2015); De Coninck et al. (2024), figure 2, with 100 bins over all patches.
    """
    total = int(diagram.count.sum())
    return float(np.abs(diagram.correct - diagram.confidence).sum() / total) if total else float("nan")


def top_label(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the probability of the predicted class (M,) and whether it is right (M,), from logits (M, C) and labels (M,)."""
    scores = np.asarray(logits, dtype=np.float64)
    predicted = scores.argmax(axis=1)
    top = np.exp(scores.max(axis=1) - logsumexp(scores, axis=1))
    return np.clip(top, 0, 1), predicted == labels


def log_loss(logits: NDArray[np.floating], labels: NDArray[np.int64], temperature: float = 1.0) -> float:
    """Return the mean negative log-likelihood of labels (M,) under softmax(logits / temperature), logits (M, C)."""
    scores = np.asarray(logits, dtype=np.float64) / temperature
    return float((logsumexp(scores, axis=1) - scores[np.arange(len(scores)), labels]).mean())


def fit_temperature(
    logits: NDArray[np.floating], labels: NDArray[np.int64], offset: NDArray[np.floating] | None = None
) -> float:
    """Return the temperature T in [0.05, 20] for which softmax(logits / T + offset) gives the labels the highest likelihood.

    Dividing by T changes no prediction, only how sure it is (Guo et al. 2017, section 4.2).

    Parameters
    ----------
    logits : array, (M, C)
        On faces that the classifier was not trained on.
    labels : array, (M,) int
        Class numbers.
    offset : array, (C,), optional
        What does not depend on T, such as the logarithm of a prior; by default nothing.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise FairsalError(
            f"A temperature needs logits (M, C) and labels (M,) of at least one face, got {logits.shape} and {labels.shape}."
        )
    from scipy.optimize import minimize_scalar

    low, high = np.log(_TEMPERATURES)
    added = np.zeros(logits.shape[1]) if offset is None else np.asarray(offset, dtype=np.float64)
    scores = np.asarray(logits, dtype=np.float64)
    found = minimize_scalar(
        lambda exponent: log_loss(scores / float(np.exp(exponent)) + added, labels),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))
