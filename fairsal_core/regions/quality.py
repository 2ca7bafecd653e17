"""How well a region classifier tells its attribute at all, on faces that it was not trained on.

A region map shows where a patch says most of the attribute, and it shows a place even where no patch says anything. What is
measured against such a region is about nothing: so its quality stands beside it, and below a stated level there is no number.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from fairsal_core.metrics import Interval, auc_interval, roc_auc, summarise

LOWEST_AUC = 0.7
"""Of the patch at the best position: below it, or where the interval reaches chance, 0.5, nothing is measured against the map."""


class Quality(NamedTuple):
    """How well the patch at the best position tells the attribute.

    Attributes
    ----------
    auc : float
        Area under the ROC curve; with more than two classes the mean over each against the rest. NaN where it is not known.
    interval : Interval
        Of it, 95%.
    bits : float
        What the patch tells of the attribute on average, in bits: the labels' entropy less the cross-entropy. Below 0 for a
        classifier that is surer than it may be.
    bits_interval : Interval
        Of them, 95%.
    faces, rarest : int
        How many faces judged it, and how many of the rarest class.
    """

    auc: float
    interval: Interval
    bits: float
    bits_interval: Interval
    faces: int
    rarest: int

    def as_json(self) -> dict[str, Any]:
        """Return it for a JSON file, where what is not known is null."""
        numbers = {
            "auc": self.auc,
            "auc_low": self.interval.low,
            "auc_high": self.interval.high,
            "bits": self.bits,
            "bits_low": self.bits_interval.low,
            "bits_high": self.bits_interval.high,
        }
        known = {name: None if math.isnan(number) else round(number, 4) for name, number in numbers.items()}
        return {**known, "faces": self.faces, "rarest": self.rarest}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Quality":
        """Return what `as_json` told.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        number = {
            name: math.nan if content[name] is None else float(content[name])
            for name in ("auc", "auc_low", "auc_high", "bits", "bits_low", "bits_high")
        }
        return cls(
            number["auc"],
            Interval(number["auc_low"], number["auc_high"]),
            number["bits"],
            Interval(number["bits_low"], number["bits_high"]),
            int(content["faces"]),
            int(content["rarest"]),
        )

    def told(self, attribute: str) -> str:
        """Return it in a sentence."""
        if not self.faces:
            return f"The region classifier of {attribute} cannot be judged: no face is held out for validation."
        if math.isnan(self.auc):
            return (
                f"The region classifier of {attribute} cannot be judged: of {self.faces} held-out faces {self.rarest} or fewer "
                "are of the rarer class."
            )
        return (
            f"On {self.faces} held-out faces, {self.rarest} of the rarer class, the patch at the best position tells "
            f"{attribute} with an AUC of {self.auc:.2f} [{self.interval.low:.2f}, {self.interval.high:.2f}] (chance: 0.5), "
            f"{self.bits:.2f} bits [{self.bits_interval.low:.2f}, {self.bits_interval.high:.2f}]."
        )

    def withheld(self, attribute: str) -> str:
        """Return why nothing is measured against this region; empty where it is good enough."""
        if math.isnan(self.auc):
            return f"{self.told(attribute)} So nothing is measured against its region map."
        if self.auc < LOWEST_AUC or self.interval.low <= 0.5:
            return (
                f"{self.told(attribute)} That is below {LOWEST_AUC:g}, or may be chance: the map shows no place of "
                f"{attribute}, and nothing is measured against it."
            )
        return ""


def position_aucs(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the area under the ROC curve at each position: class against rest, as the mean over the classes there are.

    Parameters
    ----------
    logits : array, (N, per_side, per_side, C)
        Of all patches.
    labels : array, (N,) int
        Class numbers.

    Returns
    -------
    array, (per_side, per_side)
        In [0, 1]; NaN where all faces are of one class.
    """
    present = np.unique(labels)
    if len(present) < 2:
        return np.full(logits.shape[1:3], math.nan)
    if logits.shape[-1] == 2:  # one class against the other is the other against the one
        return roc_auc(logits[..., 1] - logits[..., 0], labels == 1)
    scores = log_softmax(logits, axis=-1)
    areas: NDArray[np.float64] = np.mean([roc_auc(scores[..., one], labels == one) for one in present], axis=0)
    return areas


def quality_of(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> Quality:
    """Return how well the patch at the best position tells the label.

    The best position is looked for on every other face and judged on those between, and the other way round: chosen on
    the faces that judge it, the best of thousands of positions would look better than chance where all are chance.

    Parameters
    ----------
    logits : array, (N, per_side, per_side, C)
        Of all patches, divided by the temperature, on faces that were not trained on.
    labels : array, (N,) int
        Class numbers.
    """
    counts = np.bincount(labels, minlength=logits.shape[-1])
    rarest = int(counts[counts > 0].min()) if len(labels) else 0
    unknown = Interval(math.nan, math.nan)
    halves = _halves(labels)
    if any(len(np.unique(labels[half])) < 2 for half in halves):
        return Quality(math.nan, unknown, math.nan, unknown, len(labels), rarest)
    areas, told = [], np.empty(len(labels))
    share = counts / len(labels)
    for judged, chosen_on in (halves, halves[::-1]):
        best = np.unravel_index(position_aucs(logits[chosen_on], labels[chosen_on]).argmax(), logits.shape[1:3])
        patches = logits[(judged, *best)]
        areas.append(float(position_aucs(patches[:, None, None], labels[judged])[0, 0]))
        likely = log_softmax(patches.astype(np.float64), axis=-1)[np.arange(len(patches)), labels[judged]]
        told[judged] = (likely - np.log(share[labels[judged]])) / math.log(2)
    auc = float(np.mean(areas))
    summary = summarise(told)
    return Quality(
        auc, auc_interval(auc, rarest, len(labels) - rarest), summary.mean, summary.interval, len(labels), rarest
    )


def _halves(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return two halves of the faces, of each class every other one."""
    by_class = np.argsort(labels, kind="stable")
    return by_class[::2], by_class[1::2]
