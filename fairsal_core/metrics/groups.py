"""Accuracy per subgroup, the gap between the two target groups, and the differences that fairness metrics ask for."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.decisions import ALL_CELLS, OTHER_CELLS, TARGET_CELLS, Decisions, Estimate
from fairsal_core.metrics.intervals import LEVEL, Hits, Interval
from fairsal_core.metrics.mover import contrast_interval, size_of
from fairsal_core.metrics.proportions import Rates, ratio_of

ACCURACY, GAP, WORST_CELL = "accuracy", "gap", "worst_cell"
DEMOGRAPHIC_PARITY = "demographic_parity_difference"
EQUAL_OPPORTUNITY = "equal_opportunity_difference"
EQUALIZED_ODDS = "equalized_odds_difference"
IMPACT_RATIO = "impact_ratio"
# Weights of the differences between confounder groups, with it less without it: among targets, and among others.
BETWEEN_GROUPS = (np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, -1.0]))
_DIFFERENCES = (DEMOGRAPHIC_PARITY, EQUAL_OPPORTUNITY, EQUALIZED_ODDS)
_Weights = NDArray[np.floating] | NDArray[np.integer]


def cell_numbers(target: NDArray[np.bool_], confounder: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the cell 0 to 3 of each face.

    Examples
    --------
    >>> cell_numbers(np.array([True, True, False, False]), np.array([True, False, True, False])).tolist()
    [0, 1, 2, 3]
    """
    return 2 * (~target).astype(np.int64) + (~confounder).astype(np.int64)


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


def subgroup_estimates(correct: Hits, cells: NDArray[np.int64]) -> list[Estimate]:
    """Return accuracy over all faces, the two target groups and the four cells, and the gap.

    Parameters
    ----------
    correct : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of each seed is right on each face; S = 1 for one classifier. Where its decisions are drawn,
        the probability that it is; values are then expectations.
    cells : array, (N,) int
        Cell of each face.

    Returns
    -------
    list of Estimate
        Accuracy of all, target, other, the four cells, as far as they have faces; then the gap, nan where a target group
        has no faces.

    Notes
    -----
    Intervals are `contrast_interval`'s: Wilson's for one cell of one classifier, else put together from the cells', with what
    seeds differ by where there are several.
    """
    decisions = Decisions(correct, cells)
    return [*accuracies(decisions), gap_estimate(decisions)]


def accuracies(decisions: Decisions) -> list[Estimate]:
    """Return accuracy over all faces, the two target groups and the four cells, as `subgroup_estimates` does."""
    return [_accuracy(decisions, members) for members in _groups() if decisions.sizes[list(members)].any()]


def gap_estimate(decisions: Decisions) -> Estimate:
    """Return the gap, as `subgroup_estimates` does."""
    faces = len(decisions.cells)
    if not all(decisions.sizes[list(members)].any() for members in (TARGET_CELLS, OTHER_CELLS)):
        return Estimate(GAP, ALL_CELLS, math.nan, Interval(math.nan, math.nan), faces)
    shares = gap_weights(decisions.sizes)
    interval = contrast_interval(decisions.correct, decisions.cells, shares)
    return Estimate(GAP, ALL_CELLS, _sum_of(decisions.rates, shares), interval, faces)


def worst_cell_estimate(decisions: Decisions) -> Estimate:
    """Return the cell with the lowest accuracy; see `worst_cell`."""
    return worst_cell(decisions.once(accuracies))


def worst_cell(estimates: list[Estimate]) -> Estimate:
    """Return the cell with the lowest accuracy among `subgroup_estimates`.

    The interval is that cell's own: it does not account for having been chosen as the worst.
    """
    single = [estimate for estimate in estimates if estimate.metric == ACCURACY and len(estimate.cells) == 1]
    return min(single, key=lambda estimate: estimate.value)._replace(metric=WORST_CELL)


def fairness_estimates(correct: Hits, cells: NDArray[np.int64]) -> list[Estimate]:
    """Return the demographic parity, equal opportunity and equalized odds differences between confounder groups.

    Parameters
    ----------
    correct, cells
        As in `subgroup_estimates`. The sensitive feature is the confounder; "yes" is to predict the target attribute.

    Returns
    -------
    list of Estimate
        Three, each 0 (no difference) to 1, of the mean rates over seeds; nan where a cell has no faces.

    Notes
    -----
    The values are fairlearn's `MetricFrame.difference()` of selection rate, true positive rate, and the larger of true
    and false positive rate. The intervals are those of the signed differences, folded: where the sign is open they begin at 0,
    so that groups which are treated alike can show no difference.

    References
    ----------
    Dwork et al. (2012); Hardt et al. (2016); `fairlearn.metrics`.
    """
    return list(_fairness(Decisions(correct, cells)).values())


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
    """Return the rate of "yes" of the confounder group that is selected less, over that of the other.

    Returns
    -------
    Estimate
        0 to 1, of the mean rates over seeds; nan where a cell has no faces or nobody is selected.

    Notes
    -----
    The interval is MOVER-R's of the ratio with over without (Donner and Zou 2012), of rates whose intervals allow for seeds too,
    turned so that it is of the smaller over the larger: where the sign of the difference is open it ends at 1.

    References
    ----------
    29 CFR 1607.4 D (the four-fifths rule), where groups below 0.8 are evidence of adverse impact.
    """
    faces = len(decisions.cells)
    unknown = Estimate(IMPACT_RATIO, ALL_CELLS, math.nan, Interval(math.nan, math.nan), faces)
    if not decisions.sizes.all():
        return unknown
    with_it, without = (_selected(decisions, cells) for cells in ((0, 2), (1, 3)))
    if not (with_it.value > 0 or without.value > 0):
        return unknown
    lower, higher = (with_it, without) if with_it.value <= without.value else (without, with_it)
    ratio, other = ratio_of(lower, higher), ratio_of(higher, lower)
    # Which group is selected less is seen in the same faces: where it may be the other, so may the ratio be the other's.
    low = float(min(ratio.low, other.low) if ratio.high > 1 else ratio.low)
    return Estimate(
        IMPACT_RATIO, ALL_CELLS, float(ratio.value), Interval(max(0.0, low), min(1.0, float(ratio.high))), faces
    )


def _selected(decisions: Decisions, members: tuple[int, ...]) -> Rates:
    """Return how often faces of some cells are said to have the target, with an interval that allows for seeds."""
    shares = _shares(members, decisions.sizes)
    rate = float(decisions.yes[:, np.isin(decisions.cells, members)].mean())
    low, high = contrast_interval(decisions.yes, decisions.cells, shares)
    return Rates(*(np.array(each) for each in (rate, low, high, float(decisions.sizes[list(members)].sum()))))


def _fairness(decisions: Decisions) -> dict[str, Estimate]:
    """Return the three differences at once: fairlearn is asked once for all of them."""
    faces = len(decisions.cells)
    if not decisions.sizes.all():
        nan = Interval(math.nan, math.nan)
        return {name: Estimate(name, ALL_CELLS, math.nan, nan, faces) for name in _DIFFERENCES}
    values = _differences_by_fairlearn(decisions.yes.mean(axis=0), decisions.cells)
    intervals = difference_intervals(decisions)
    return {
        name: Estimate(name, ALL_CELLS, value, interval, faces)
        for name, value, interval in zip(_DIFFERENCES, values, intervals, strict=True)
    }


def difference_intervals(decisions: Decisions) -> tuple[Interval, Interval, Interval]:
    """Return the intervals of the three differences between confounder groups, all cells having faces."""
    with_it, without = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0, 1.0])
    sizes = decisions.sizes
    selected = with_it * sizes / (with_it @ sizes) - without * sizes / (without @ sizes)
    hit, false = BETWEEN_GROUPS
    parity, opportunity, other = (
        size_of(contrast_interval(decisions.yes, decisions.cells, weights)) for weights in (selected, hit, false)
    )
    # Of the larger of two sizes: either by itself may lie above the truth, so each low end is one that both keep by chance
    # as often as an interval has to.
    surer = (size_of(contrast_interval(decisions.yes, decisions.cells, each, LEVEL**0.5)) for each in (hit, false))
    return parity, opportunity, Interval(max(each.low for each in surer), max(opportunity.high, other.high))


def _differences_by_fairlearn(predicted: NDArray[np.float64], cells: NDArray[np.int64]) -> tuple[float, float, float]:
    from fairlearn.metrics import (  # brings scikit-learn, which takes seconds
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )

    # The metrics are ratios of counts, so each cell is one "yes" and one "no", with its faces as weights: a face that
    # says "yes" with a probability counts for that much, and for the rest among the "no".
    yes = np.bincount(cells, weights=predicted, minlength=len(ALL_CELLS))
    weights = np.concatenate([yes, np.bincount(cells, minlength=len(ALL_CELLS)) - yes])
    metrics = {"selected": selection_rate, "hit": true_positive_rate, "false": false_positive_rate}
    frame = MetricFrame(
        metrics=metrics,
        y_true=np.isin(ALL_CELLS * 2, TARGET_CELLS),
        y_pred=np.repeat([True, False], len(ALL_CELLS)),
        sensitive_features=np.array(ALL_CELLS * 2) % 2 == 0,
        sample_params={name: {"sample_weight": weights} for name in metrics},
    )
    difference = frame.difference()
    selected, hit, false = (float(difference[name]) for name in metrics)
    return selected, hit, max(hit, false)


def _groups() -> Iterator[tuple[int, ...]]:
    yield ALL_CELLS
    yield TARGET_CELLS
    yield OTHER_CELLS
    for cell in ALL_CELLS:
        yield (cell,)


def _accuracy(decisions: Decisions, members: tuple[int, ...]) -> Estimate:
    shares = _shares(members, decisions.sizes)
    faces = int(np.isin(decisions.cells, np.flatnonzero(shares)).sum())
    interval = contrast_interval(decisions.correct, decisions.cells, shares)
    return Estimate(ACCURACY, members, _sum_of(decisions.rates, shares), interval, faces)


def gap_weights(weights: _Weights) -> NDArray[np.float64]:
    """Return what each cell counts in the gap, for cells of these weights: other minus target."""
    difference: NDArray[np.float64] = _shares(OTHER_CELLS, weights) - _shares(TARGET_CELLS, weights)
    return difference


def _shares(members: tuple[int, ...], weights: _Weights) -> NDArray[np.float64]:
    """Return what each cell counts in a mean over some of them, (4,)."""
    chosen: NDArray[np.float64] = np.where(np.isin(ALL_CELLS, members), weights, 0).astype(np.float64)
    shares: NDArray[np.float64] = chosen / chosen.sum()
    return shares


def _sum_of(rates: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the weighted sum of the cells' rates (4,), of those that count."""
    counted = weights != 0
    return float(rates[counted] @ weights[counted])
