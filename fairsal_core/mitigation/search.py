"""Choosing among candidates on the validation faces, with a trace of what was tried."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import decisions, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.metrics import cell_numbers
from fairsal_core.mitigation.base import LabelledFaces, Trial


class Judgement(NamedTuple):
    """How good decisions are; each cell counts the same, as in a test set with equal cells."""

    accuracy: float
    worst_cell: float
    equalized_odds_difference: float


def judge(positive: NDArray[np.float64], faces: LabelledFaces) -> Judgement:
    """Judge decisions, given as probabilities (N,) of a positive one; expected values where they are not 0 or 1.

    A label whose faces all have, or all lack, the confounder says nothing about equalized odds and is left out.
    """
    cells = cell_numbers(faces.target, faces.confounder)
    sizes = np.bincount(cells, minlength=4)
    with np.errstate(invalid="ignore"):
        rates = np.bincount(cells, weights=positive, minlength=4) / sizes
    right = np.concatenate([rates[:2], 1 - rates[2:]])
    odds = np.abs(rates[[0, 2]] - rates[[1, 3]])
    return Judgement(
        float(np.nanmean(right)),
        float(np.nanmin(right)),
        float(np.nanmax(odds)) if np.isfinite(odds).any() else float("nan"),
    )


def judge_classifier(classifier: nn.Module, faces: LabelledFaces) -> Judgement:
    """Judge a classifier's decisions in eval mode."""
    return judge(decisions(classifier, predict_scores(classifier, faces.images), faces.confounder), faces)


def judge_candidate(classifier: nn.Module, faces: LabelledFaces) -> Judgement:
    """Judge a classifier's decisions in eval mode.

    Raises
    ------
    FairsalError
        If it is of no use: a score is no number, or it decides the same for all faces although their labels differ.
    """
    scores = predict_scores(classifier, faces.images)
    if not np.isfinite(scores).all():
        raise FairsalError("Its scores are no numbers any more: the training diverged.")
    positive = decisions(classifier, scores, faces.confounder)
    if np.ptp(positive) == 0 and len(set(faces.target.tolist())) > 1:
        raise FairsalError(f"It decides the same for all {len(faces)} validation faces, whatever they show.")
    return judge(positive, faces)


def worth_of(judgement: Judgement, floor: float) -> tuple[bool, float, float]:
    """Return what sorts candidates: those at least as accurate as the floor first, by a small equalized odds difference;
    then the others, by accuracy."""
    odds = judgement.equalized_odds_difference
    if judgement.accuracy < floor or np.isnan(odds):
        return judgement.accuracy >= floor, judgement.accuracy, 0.0
    return True, -odds, judgement.accuracy


class Search:
    """Tries candidates and keeps the best: the smallest equalized odds difference among those whose accuracy is at most
    `tolerance` below the original's; the most accurate one if none is.

    Each candidate gets its own copy of the original, which stays as it is.
    """

    def __init__(self, original: nn.Module, validation: LabelledFaces, tolerance: float) -> None:
        self._original = original
        self._validation = validation
        self.floor = judge_classifier(original, validation).accuracy - tolerance
        self._trials: list[Trial] = []
        self._best: tuple[tuple[bool, float, float], int, Any] | None = None

    def attempt(self, settings: dict[str, Any], build: Callable[[nn.Module], Any]) -> None:
        """Build a candidate from a copy of the original and judge it.

        `build` changes the copy in place, and what it returns is kept for `outcome`; a FairsalError it raises makes the
        candidate a failed one.
        """
        candidate = copy.deepcopy(self._original).eval()
        try:
            about = build(candidate)
            judgement = judge_candidate(candidate, self._validation)
        except FairsalError as error:
            self._trials.append(Trial(settings, problem=str(error)))
            return
        self._trials.append(Trial(settings, *judgement))
        worth = worth_of(judgement, self.floor)
        if self._best is None or worth > self._best[0]:
            self._best = (worth, len(self._trials) - 1, (candidate, about))

    @property
    def best_settings(self) -> dict[str, Any]:
        """The settings of the best candidate so far."""
        return dict(self._trials[self._chosen()].settings)

    def outcome(self) -> tuple[nn.Module, Any, tuple[Trial, ...]]:
        """Return the best candidate, what its `build` returned, and the trace.

        Raises
        ------
        FairsalError
            If no candidate worked: the first one's reason.
        """
        index = self._chosen()
        trace = [replace(trial, chosen=number == index) for number, trial in enumerate(self._trials)]
        assert self._best is not None
        candidate, about = self._best[2]
        return candidate.eval(), about, tuple(trace)

    def _chosen(self) -> int:
        if self._best is None:
            raise FairsalError(self._trials[0].problem if self._trials else "There was nothing to try.")
        return self._best[1]
