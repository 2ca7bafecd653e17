"""Choosing among candidates on the validation faces, with a trace of what was tried."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import decisions
from fairsal_core.errors import FairsalError
from fairsal_core.metrics import cell_numbers
from fairsal_core.mitigation.base import ChooseBy, Faces, MitigationSettings, Trial


class Judgement(NamedTuple):
    """How good decisions are; each cell counts the same, as in a test set with equal cells. For the worse of the two
    classes nobody has to know the cells: each of its faces counts the same."""

    accuracy: float
    worst_cell: float
    equalized_odds_difference: float
    worst_class: float


def judge(positive: NDArray[np.float64], faces: Faces) -> Judgement:
    """Judge decisions, given as probabilities (N,) of a positive one; expected values where they are not 0 or 1.

    A label whose faces all have, or all lack, the confounder says nothing about equalized odds and is left out.
    """
    cells = cell_numbers(faces.target, faces.confounder)
    sizes = np.bincount(cells, minlength=4)
    with np.errstate(invalid="ignore"):
        rates = np.bincount(cells, weights=positive, minlength=4) / sizes
    right = np.concatenate([rates[:2], 1 - rates[2:]])
    odds = np.abs(rates[[0, 2]] - rates[[1, 3]])
    classes = [each.mean() for each in (positive[faces.target], 1 - positive[~faces.target]) if each.size]
    return Judgement(
        float(np.nanmean(right)),
        float(np.nanmin(right)),
        float(np.nanmax(odds)) if np.isfinite(odds).any() else float("nan"),
        float(min(classes)),
    )


def judge_classifier(classifier: nn.Module, faces: Faces) -> Judgement:
    """Judge a classifier's decisions in eval mode."""
    return judge(decisions(classifier, faces.scores(classifier), faces.confounder), faces)


def judge_candidate(classifier: nn.Module, faces: Faces) -> Judgement:
    """Judge a classifier's decisions in eval mode.

    Raises
    ------
    FairsalError
        If it is of no use: a score is no number, or it decides the same for all faces although their labels differ.
    """
    scores = faces.scores(classifier)
    if not np.isfinite(scores).all():
        raise FairsalError("Its scores are no numbers any more: the training diverged.")
    positive = decisions(classifier, scores, faces.confounder)
    if np.ptp(positive) == 0 and len(set(faces.target.tolist())) > 1:
        raise FairsalError(f"It decides the same for all {len(faces)} validation faces, whatever they show.")
    return judge(positive, faces)


def worth_of(judgement: Judgement, floor: float, choose_by: ChooseBy) -> tuple[bool, float, float]:
    """Return what sorts candidates: the accuracy of the worst group, or the worse class, then that of all; or those at least
    as accurate as the floor first, by a small equalized odds difference; then the others, by accuracy."""
    if choose_by == "worst_group":
        return True, judgement.worst_cell, judgement.accuracy
    if choose_by == "worst_class":
        return True, judgement.worst_class, 0.0
    odds = judgement.equalized_odds_difference
    if judgement.accuracy < floor or np.isnan(odds):
        return judgement.accuracy >= floor, judgement.accuracy, 0.0
    return True, -odds, judgement.accuracy


class Search:
    """Tries candidates and keeps the best by the settings' `choose_by`: the smallest equalized odds difference among those
    whose accuracy is at most `tolerance` below the original's, the most accurate one if none is; or the best worst group, or
    worse class.

    Each candidate gets its own copy of the original, which stays as it is.
    """

    def __init__(self, original: nn.Module, validation: Faces, settings: MitigationSettings) -> None:
        self._original = original
        self._validation = validation
        self._choose_by: ChooseBy = settings.choose_by
        self._floor = judge_classifier(original, validation).accuracy - settings.tolerance
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
        except FairsalError as error:
            self.failed(settings, error)
            return
        self._judge(settings, candidate, about)

    def consider(self, settings: dict[str, Any], classifier: nn.Module) -> None:
        """Judge a classifier as it is now, in the middle of its training maybe, and keep a copy of it if it is the best."""
        self._judge(settings, copy.deepcopy(classifier).eval(), None)

    def failed(self, settings: dict[str, Any], error: FairsalError) -> None:
        """Note a candidate that came to nothing, and why."""
        self._trials.append(Trial(settings, problem=str(error)))

    def worth(self, judgement: Judgement) -> tuple[bool, float, float]:
        """Return what sorts candidates here; see `worth_of`."""
        return worth_of(judgement, self._floor, self._choose_by)

    def _judge(self, settings: dict[str, Any], candidate: nn.Module, about: Any) -> None:
        try:
            judgement = judge_candidate(candidate, self._validation)
        except FairsalError as error:
            self.failed(settings, error)
            return
        self._trials.append(Trial(settings, *judgement))
        if self._best is None or self.worth(judgement) > self._best[0]:
            self._best = (self.worth(judgement), len(self._trials) - 1, (candidate, about))

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
