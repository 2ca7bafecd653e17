"""Accuracy per subgroup, the gap between the two target groups, and the differences that fairness metrics ask for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.decisions import ALL_CELLS, TWO, Decisions, Estimate, other_cells, target_cells
from fairsal_core.metrics.intervals import LEVEL, Hits, Interval, level_of_pairs
from fairsal_core.metrics.mover import contrast_interval, size_of
from fairsal_core.metrics.proportions import Rates, ratio_of

ACCURACY, GAP, WORST_CELL = "accuracy", "gap", "worst_cell"
DEMOGRAPHIC_PARITY = "demographic_parity_difference"
EQUAL_OPPORTUNITY = "equal_opportunity_difference"
EQUALIZED_ODDS = "equalized_odds_difference"
IMPACT_RATIO = "impact_ratio"
_DIFFERENCES = (DEMOGRAPHIC_PARITY, EQUAL_OPPORTUNITY, EQUALIZED_ODDS)
_Weights = NDArray[np.floating] | NDArray[np.integer]


def cell_numbers(target: NDArray[np.bool_], confounder: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the cell 0 to 3 of each face.

    Examples
    --------
    >>> cell_numbers(np.array([True, True, False, False]), np.array([True, False, True, False])).tolist()
    [0, 1, 2, 3]
    """
    return numbered(target, (~confounder).astype(np.int64), TWO)


def numbered(target: NDArray[np.bool_], group: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """Return the cell of each face, whose group is 0 to groups - 1.

    Examples
    --------
    >>> numbered(np.array([True, True, False, False]), np.array([0, 2, 0, 2]), 3).tolist()
    [0, 2, 3, 5]
    """
    return groups * (~target).astype(np.int64) + group


def gap(accuracy_target: float, accuracy_other: float) -> float:
    """Return other minus target: with target Male, women minus men in accuracy, as in De Coninck et al. (2024)."""
    return accuracy_other - accuracy_target


def shortcut_gap(
    cell_accuracies: Mapping[int, float] | Sequence[float] | NDArray[np.floating], conflicting: tuple[int, ...] = (0, 3)
) -> float:
    """Return the mean accuracy of the aligned cells less that of the conflicting ones, where the training correlation misleads.

    Parameters
    ----------
    cell_accuracies : mapping of cell to accuracy, or 4 numbers
        In the order of `fairsal_core.faces.CELLS`.
    conflicting : tuple of int
        Cells in which following the confounder is wrong; by default those rare in the papers' subsets: target with it, other
        without.

    Examples
    --------
    >>> round(shortcut_gap([0.08, 0.97, 0.96, 0.50]), 3)
    0.675
    """
    accuracies = {cell: cell_accuracies[cell] for cell in ALL_CELLS}
    aligned = [value for cell, value in accuracies.items() if cell not in conflicting]
    return float(np.mean(aligned) - np.mean([accuracies[cell] for cell in conflicting]))


def subgroup_estimates(correct: Hits, cells: NDArray[np.int64], groups: int = TWO) -> list[Estimate]:
    """Return accuracy over all faces, the two target groups and the cells, and the gap.

    Parameters
    ----------
    correct : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of each seed is right on each face; S = 1 for one classifier. Where its decisions are drawn,
        the probability that it is; values are then expectations.
    cells : array, (N,) int
        Cell of each face.
    groups : int
        How many groups the protected attribute has; by default those with the confounder and without.

    Returns
    -------
    list of Estimate
        Accuracy of all, target, other, the cells, as far as they have faces; then the gap, nan where a target group
        has no faces.

    Notes
    -----
    Intervals are `contrast_interval`'s: Wilson's for one cell of one classifier, else put together from the cells', with what
    seeds differ by where there are several.
    """
    decisions = Decisions(correct, cells, groups)
    return [*accuracies(decisions), gap_estimate(decisions)]


def accuracies(decisions: Decisions) -> list[Estimate]:
    """Return accuracy over all faces, the two target groups and the cells, as `subgroup_estimates` does."""
    return [_accuracy(decisions, members) for members in _parts(decisions) if decisions.sizes[list(members)].any()]


def gap_estimate(decisions: Decisions) -> Estimate:
    """Return the gap, as `subgroup_estimates` does."""
    faces = len(decisions.cells)
    if not all(decisions.sizes[list(members)].any() for members in (decisions.target_cells, decisions.other_cells)):
        return Estimate(GAP, decisions.all_cells, math.nan, Interval(math.nan, math.nan), faces)
    shares = gap_weights(decisions.sizes)
    interval = contrast_interval(decisions.correct, decisions.cells, shares)
    return Estimate(GAP, decisions.all_cells, _sum_of(decisions.rates, shares), interval, faces)


def worst_cell_estimate(decisions: Decisions) -> Estimate:
    """Return the cell with the lowest accuracy; see `worst_cell`."""
    return worst_cell(decisions.once(accuracies))


def worst_cell(estimates: list[Estimate]) -> Estimate:
    """Return the cell with the lowest accuracy among `subgroup_estimates`.

    The interval is that cell's own: it does not account for having been chosen as the worst.
    """
    single = [estimate for estimate in estimates if estimate.metric == ACCURACY and len(estimate.cells) == 1]
    return min(single, key=lambda estimate: estimate.value)._replace(metric=WORST_CELL)


def fairness_estimates(correct: Hits, cells: NDArray[np.int64], groups: int = TWO) -> list[Estimate]:
    """Return the demographic parity, equal opportunity and equalized odds differences between confounder groups.

    Parameters
    ----------
    correct, cells, groups
        As in `subgroup_estimates`. The sensitive feature is the confounder; "yes" is to predict the target attribute.

    Returns
    -------
    list of Estimate
        Three, each 0 (no difference) to 1, of the mean rates over seeds; nan where a cell has no faces.

    Notes
    -----
    The values are fairlearn's `MetricFrame.difference()` of selection rate, true positive rate, and the larger of true
    and false positive rate: of several groups the largest less the smallest. The intervals are those of the signed differences,
    folded: where the sign is open they begin at 0, so that groups which are treated alike can show no difference.

    References
    ----------
    Dwork et al. (2012); Hardt et al. (2016); `fairlearn.metrics`.
    """
    return list(_fairness(Decisions(correct, cells, groups)).values())


def demographic_parity_difference(decisions: Decisions) -> Estimate:
    """Return the difference between confounder groups in the rate of "yes"; see `fairness_estimates`."""
    return decisions.once(_fairness)[DEMOGRAPHIC_PARITY]


def equal_opportunity_difference(decisions: Decisions) -> Estimate:
    """Return the difference between confounder groups in the true positive rate; see `fairness_estimates`."""
    return decisions.once(_fairness)[EQUAL_OPPORTUNITY]


def equalized_odds_difference(decisions: Decisions) -> Estimate:
    """Return the larger difference between confounder groups of true and false positive rate; see `fairness_estimates`."""
    return decisions.once(_fairness)[EQUALIZED_ODDS]


def impact_ratio(decisions: Decisions) -> Estimate:
    """Return the rate of "yes" of the confounder group that is selected least, over that of the one selected most.

    Returns
    -------
    Estimate
        0 to 1, of the mean rates over seeds; nan where a cell has no faces or nobody is selected.

    Notes
    -----
    The ratio is the smallest of those of any group to any other, of which each has MOVER-R's interval (Donner and Zou 2012), of
    rates whose intervals allow for seeds too. Which groups are selected least and most is seen in the same faces, and may be
    others: the lower end is the lowest of lower ends, the upper end the lowest of upper ends at a level that all pairs keep
    together (Sidak 1967), at most 1.

    References
    ----------
    29 CFR 1607.4 D (the four-fifths rule), where groups below 0.8 are evidence of adverse impact.
    """
    faces = len(decisions.cells)
    unknown = Estimate(IMPACT_RATIO, decisions.all_cells, math.nan, Interval(math.nan, math.nan), faces)
    if not decisions.sizes.all():
        return unknown
    plain, surer = (
        [_selected(decisions, decisions.cells_of(group), level) for group in range(decisions.groups)]
        for level in (LEVEL, level_of_pairs(decisions.groups))
    )
    rates = [float(each.value) for each in plain]
    if not max(rates) > 0:
        return unknown
    low = min(float(ratio_of(*pair).low) for pair in permutations(plain, 2) if pair[1].value > 0)
    high = min(float(ratio_of(*pair).high) for pair in permutations(surer, 2) if pair[1].value > 0)
    interval = Interval(max(0.0, low), min(1.0, high))
    return Estimate(IMPACT_RATIO, decisions.all_cells, min(rates) / max(rates), interval, faces)


def _selected(decisions: Decisions, members: tuple[int, ...], level: float) -> Rates:
    """Return how often faces of some cells are said to have the target, with an interval that allows for seeds."""
    shares = _shares(members, decisions.sizes)
    rate = float(decisions.yes[:, np.isin(decisions.cells, members)].mean())
    low, high = contrast_interval(decisions.yes, decisions.cells, shares, level)
    return Rates(*(np.array(each) for each in (rate, low, high, float(decisions.sizes[list(members)].sum()))))


def _fairness(decisions: Decisions) -> dict[str, Estimate]:
    """Return the three differences at once: fairlearn is asked once for all of them."""
    faces, cells = len(decisions.cells), decisions.all_cells
    if not decisions.sizes.all():
        nan = Interval(math.nan, math.nan)
        return {name: Estimate(name, cells, math.nan, nan, faces) for name in _DIFFERENCES}
    values = _differences_by_fairlearn(decisions)
    intervals = difference_intervals(decisions)
    return {
        name: Estimate(name, cells, value, interval, faces)
        for name, value, interval in zip(_DIFFERENCES, values, intervals, strict=True)
    }


def difference_intervals(decisions: Decisions) -> tuple[Interval, Interval, Interval]:
    """Return the intervals of the three differences between confounder groups, all cells having faces.

    A difference is the largest of those of all pairs of groups, that of odds the largest of two rates' too. Any of them by itself
    may lie above the truth, so each low end is one that all of them keep by chance as often as an interval has to (Sidak 1967).
    """
    selected = [_shares(decisions.cells_of(group), decisions.sizes) for group in range(decisions.groups)]
    parity = [one - other for one, other in combinations(selected, 2)]
    hit = _between(decisions, decisions.target_cells)
    return _largest(decisions, parity, LEVEL), _largest(decisions, hit, LEVEL), odds_interval(decisions, LEVEL)


def odds_interval(decisions: Decisions, level: float) -> Interval:
    """Return the interval of the equalized odds difference, as `difference_intervals` does, at any level."""
    both = (decisions.target_cells, decisions.other_cells)
    return _largest(decisions, [each for cells in both for each in _between(decisions, cells)], level)


def _between(decisions: Decisions, cells: Sequence[int]) -> list[NDArray[np.float64]]:
    """Return the weights of the differences between each two of some cells."""
    single = [np.isin(decisions.all_cells, cell).astype(np.float64) for cell in cells]
    return [one - other for one, other in combinations(single, 2)]


def _largest(decisions: Decisions, contrasts: Sequence[NDArray[np.float64]], level: float) -> Interval:
    """Return the interval of the largest size of differences in the rate of "yes", which these weights of the cells make."""
    plain, surer = (
        [size_of(contrast_interval(decisions.yes, decisions.cells, weights, each)) for weights in contrasts]
        for each in (level, level ** (1 / len(contrasts)))
    )
    return Interval(max(each.low for each in surer), max(each.high for each in plain))


def _differences_by_fairlearn(decisions: Decisions) -> tuple[float, float, float]:
    from fairlearn.metrics import (  # brings scikit-learn, which takes seconds
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )

    # The metrics are ratios of counts, so each cell is one "yes" and one "no", with its faces as weights: a face that
    # says "yes" with a probability counts for that much, and for the rest among the "no".
    cells, count = decisions.all_cells, len(decisions.all_cells)
    yes = np.bincount(decisions.cells, weights=decisions.yes.mean(axis=0), minlength=count)
    weights = np.concatenate([yes, decisions.sizes - yes])
    metrics = {"selected": selection_rate, "hit": true_positive_rate, "false": false_positive_rate}
    frame = MetricFrame(
        metrics=metrics,
        y_true=np.isin(cells * 2, decisions.target_cells),
        y_pred=np.repeat([True, False], count),
        sensitive_features=np.array(cells * 2) % decisions.groups,
        sample_params={name: {"sample_weight": weights} for name in metrics},
    )
    difference = frame.difference()
    selected, hit, false = (float(difference[name]) for name in metrics)
    return selected, hit, max(hit, false)


def _parts(decisions: Decisions) -> Iterator[tuple[int, ...]]:
    """Give all cells, those of either target group, and each."""
    yield decisions.all_cells
    yield decisions.target_cells
    yield decisions.other_cells
    for cell in decisions.all_cells:
        yield (cell,)


def _accuracy(decisions: Decisions, members: tuple[int, ...]) -> Estimate:
    shares = _shares(members, decisions.sizes)
    faces = int(np.isin(decisions.cells, np.flatnonzero(shares)).sum())
    interval = contrast_interval(decisions.correct, decisions.cells, shares)
    return Estimate(ACCURACY, members, _sum_of(decisions.rates, shares), interval, faces)


def gap_weights(weights: _Weights) -> NDArray[np.float64]:
    """Return what each cell counts in the gap, for cells of these weights (C,): other minus target."""
    groups = len(weights) // 2
    difference: NDArray[np.float64] = _shares(other_cells(groups), weights) - _shares(target_cells(groups), weights)
    return difference


def _shares(members: tuple[int, ...], weights: _Weights) -> NDArray[np.float64]:
    """Return what each cell counts in a mean over some of them, (C,)."""
    chosen: NDArray[np.float64] = np.where(np.isin(np.arange(len(weights)), members), weights, 0).astype(np.float64)
    shares: NDArray[np.float64] = chosen / chosen.sum()
    return shares


def _sum_of(rates: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the weighted sum of the cells' rates (C,), of those that count."""
    counted = weights != 0
    return float(rates[counted] @ weights[counted])
