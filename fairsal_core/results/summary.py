"""The answer first: a reference and a candidate in four numbers, what changed, and whether that is more than noise."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import Group, cell_name, cells_of
from fairsal_core.metrics import (
    ACCURACY,
    EQUALIZED_ODDS,
    SHORTCUT_GAP,
    WORST_CELL,
    Estimate,
    change_estimates,
    conflicting_cells,
    equalized_odds_difference,
    odds_change,
    shortcut_change,
    shortcut_estimate,
    subgroup_estimates,
    summarise,
    worst_cell,
    worst_cell_change,
)
from fairsal_core.results.accuracy import Answers, answers
from fairsal_core.results.cautions import FEWEST, FEWEST_SEEDS
from fairsal_core.results.changes import paired_answers

BEYOND_NOISE, CANNOT_SAY, TOO_FEW_SEEDS = "beyond noise", "cannot say", "too few seeds"
ATTENTION = "attention"
_SMALL_GAP, _CLEAR_DIFFERENCE = 0.1, 0.15


class Number(NamedTuple):
    """A number with its 95% interval, on how many faces, and which group it is about where that is not all of them."""

    value: float
    low: float
    high: float
    n: int
    about: str = ""


class Compared(NamedTuple):
    """One question asked of a reference and a candidate.

    `change` is candidate minus reference on the same faces and seeds; None where it cannot be paired. `word` is "beyond noise"
    where its interval leaves out 0 and enough seeds were trained, "too few seeds" where they were not, else "cannot say".
    `better` says which way the change went, where the word allows to tell.
    """

    question: str
    title: str
    better_is: str
    reference: Number | None
    candidate: Number | None
    change: Number | None
    word: str = CANNOT_SAY

    @property
    def better(self) -> bool | None:
        """Whether the change is for the better; None where nobody can say."""
        return self.improved if self.word == BEYOND_NOISE else None

    @property
    def improved(self) -> bool:
        """Whether the candidate's number is the better one, however uncertain that is."""
        if self.reference is None or self.candidate is None:
            return False
        before, after = self.reference.value, self.candidate.value
        if self.better_is == "nearer zero":
            return abs(after) < abs(before)
        return after > before if self.better_is == "higher" else after < before


def compare_variants(
    before: pd.DataFrame, after: pd.DataFrame, target: str, confounder: str, phi: float | None
) -> list[Compared]:
    """Return the worst cell, the shortcut gap and the accuracy of a reference and a candidate, and what changed.

    An attribute of several values is no shortcut that leads one way or the other: in the place of the shortcut gap stands the
    equalized odds difference between its groups.

    Parameters
    ----------
    before, after : DataFrame
        Predictions of the reference and of the candidate under one evaluation each, as in `predictions.parquet`; clean ones are
        what a deployed classifier shows.
    target, confounder : str
        Attribute names, for naming the groups.
    phi : float, optional
        Correlation of the two among the training faces, which says where following the confounder misleads; None for an attribute
        of several values.
    """
    leaning = _odds if phi is None else _shortcut(conflicting_cells(phi))

    def number(estimate: Estimate, groups: Sequence[Group]) -> Number:
        single = len(estimate.cells) == 1
        named = cell_name(target, confounder, cells_of(groups)[estimate.cells[0]]) if single else ""
        return Number(estimate.value, *estimate.interval, estimate.n, named)

    def three(part: pd.DataFrame) -> list[Number]:
        said = answers(part)
        accuracies = subgroup_estimates(said.correct, said.cells, len(said.groups))
        found = (worst_cell(accuracies), leaning.estimate(said), accuracies[0])
        return [number(one, said.groups) for one in found]

    changes: Sequence[Number | None] = (None, None, None)
    seeds, fewest = 0, 0
    try:
        first, second = paired_answers(before, after)
        seeds, fewest = len(first.seeds), int(first.decisions.sizes.min())
        both = (first.correct, second.correct, first.cells, len(first.groups))
        changed = (worst_cell_change(*both), leaning.change(first, second), change_estimates(*both)[0])
        changes = [number(one, first.groups) for one in changed]
    except FairsalError:  # other seeds or faces: the numbers stand, their difference cannot be paired
        pass
    first_numbers, second_numbers = three(before), three(after)

    def asked(place: int, question: str, title: str, better_is: str) -> Compared:
        change = changes[place]
        word = word_of(change, seeds, fewest)
        return Compared(question, title, better_is, first_numbers[place], second_numbers[place], change, word)

    return [
        asked(0, WORST_CELL, "worst cell", "higher"),
        asked(1, leaning.question, leaning.title, leaning.better_is),
        asked(2, ACCURACY, "accuracy", "higher"),
    ]


class _Leaning(NamedTuple):
    """How a classifier's leaning on the confounder is measured: alone, and what changed from one to another."""

    question: str
    title: str
    better_is: str
    estimate: Callable[[Answers], Estimate]
    change: Callable[[Answers, Answers], Estimate]


def _shortcut(conflicting: Sequence[int]) -> _Leaning:
    return _Leaning(
        SHORTCUT_GAP,
        "shortcut gap",
        "nearer zero",
        lambda said: shortcut_estimate(said.decisions, conflicting),
        lambda first, second: shortcut_change(first.correct, second.correct, first.cells, conflicting),
    )


_odds = _Leaning(
    EQUALIZED_ODDS,
    "equalized odds difference",
    "lower",
    lambda said: equalized_odds_difference(said.decisions),
    lambda first, second: odds_change(first.correct, second.correct, first.cells, len(first.groups)),
)


def compare_attention(before: pd.DataFrame, after: pd.DataFrame, metric: str = "rrf") -> Compared:
    """Return how much of the attention lies in the region of interest, under a reference and a candidate.

    Parameters
    ----------
    before, after : DataFrame
        The rows of one variant each in `Attention.values`, of one explainer and region; empty where it was not measured.
    metric : str
        The column that holds it.
    """
    tables = [_by_seed_and_face(part, metric) for part in (before, after)]
    first, second = (_mean(table.to_numpy(float)) if len(table) else None for table in tables)
    change, seeds = None, 0
    if all(len(table) for table in tables):
        rows = tables[0].index.intersection(tables[1].index)
        columns = tables[0].columns.intersection(tables[1].columns)
        moved = (tables[1].loc[rows, columns] - tables[0].loc[rows, columns]).to_numpy(float)
        change, seeds = (_mean(moved) if moved.size else None), len(rows)
    word = word_of(change, seeds, change.n if change else 0)
    return Compared(ATTENTION, "attention in the region", "lower", first, second, change, word)


def gaps_disagree(gap: float, shortcut: float, target_group: str, other_group: str) -> str:
    """Return a sentence where the paper's gap and the shortcut gap tell different stories; else nothing.

    Parameters
    ----------
    gap, shortcut : float
        The gap in accuracy between the target groups, and the shortcut gap, of one variant on clean faces.
    target_group, other_group : str
        What to call the two groups.

    Examples
    --------
    >>> gaps_disagree(0.02, 0.60, "men", "women")[:35]
    "The paper's gap and the shortcut ga"
    >>> gaps_disagree(0.25, 0.60, "men", "women"), gaps_disagree(float("nan"), 0.6, "men", "women")
    ('', '')
    """
    if not abs(abs(gap) - abs(shortcut)) > _CLEAR_DIFFERENCE or min(abs(gap), abs(shortcut)) > _SMALL_GAP:
        return ""
    if abs(gap) < abs(shortcut):
        return (
            f"The paper's gap and the shortcut gap disagree: {target_group} and {other_group} fare alike on average, because "
            "within each the cells in which the confounder helps make up for those in which it misleads. Believe the cells."
        )
    return (
        f"The paper's gap and the shortcut gap disagree: {target_group} and {other_group} differ, and not because of the "
        "confounder: the classifier is no better where it would help than where it misleads."
    )


def in_sentences(compared: Sequence[Compared], reference: str, candidate: str, confounder: str) -> list[str]:
    """Return what the four comparisons come to, in three plain sentences without a number.

    Parameters
    ----------
    compared : sequence of Compared
        Worst cell, shortcut gap or equalized odds, accuracy, attention, in this order.
    reference, candidate, confounder : str
        What to call them.
    """
    worst, leaning, accuracy, attention = compared
    group = worst.candidate.about if worst.candidate else "nobody"
    fails = f"On clean faces, as it would meet them if it were deployed, {candidate} fails {group} most. "
    return [
        fails
        + _told(worst, ("its worst cell fares better than", "its worst cell fares worse than"), f"that of {reference}"),
        _told(leaning, *_leans(leaning, reference, candidate, confounder)),
        _told(
            accuracy, ("over all faces it is right more", "over all faces it is right less"), f"often than {reference}"
        )
        + f" {_looking(attention)}",
    ]


def _leans(leaning: Compared, reference: str, candidate: str, confounder: str) -> tuple[tuple[str, str], str]:
    if leaning.question == SHORTCUT_GAP:
        return (f"{candidate} leans less on", f"{candidate} leans more on"), f"{confounder} than {reference}"
    claims = (f"errors of {candidate} differ less", f"errors of {candidate} differ more")
    return claims, f"between groups of {confounder} than those of {reference}"


def _told(one: Compared, claims: tuple[str, str], rest: str) -> str:
    """Return a claim, for the better or for the worse, with how sure it is."""
    if one.word == CANNOT_SAY:
        return f"Whether {claims[0]} {rest}, these faces cannot say."
    said = f"{claims[0] if one.improved else claims[1]} {rest}"
    if one.word == TOO_FEW_SEEDS:
        return f"In these networks {said}; they are too few seeds to say it of what made them."
    return f"Beyond noise, {said}."


def _looking(attention: Compared) -> str:
    if attention.candidate is None:
        return "Where it looks was not measured."
    return _told(attention, ("it looks less", "it looks more"), "at the region of interest")


def word_of(change: Number | None, seeds: int, fewest: int) -> str:
    """Return what a change is worth on so many seeds, the smallest group having `fewest` faces; see `Compared`."""
    if change is None or not (change.low > 0 or change.high < 0) or fewest < FEWEST:
        return CANNOT_SAY
    return BEYOND_NOISE if seeds >= FEWEST_SEEDS else TOO_FEW_SEEDS


def _by_seed_and_face(part: pd.DataFrame, metric: str) -> pd.DataFrame:
    if part.empty or metric not in part.columns:
        return pd.DataFrame()
    return part.pivot(index="seed", columns="face", values=metric)


def _mean(values: NDArray[np.float64]) -> Number:
    found = summarise(values)
    return Number(found.mean, *found.interval, found.n)
