"""Accuracy per subgroup, the gap between the two target groups, and the differences that fairness metrics ask for.

The four cells are numbered as `fairsal_core.faces.CELLS` lists them: target with the confounder, target without, other
with, other without.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics.intervals import Hits, Interval, bootstrap_rates, bootstrap_seeds, percentile_interval, wilson

TARGET_CELLS = (0, 1)
OTHER_CELLS = (2, 3)
ALL_CELLS = TARGET_CELLS + OTHER_CELLS
ACCURACY, GAP, WORST_CELL = "accuracy", "gap", "worst_cell"
DEMOGRAPHIC_PARITY = "demographic_parity_difference"
EQUAL_OPPORTUNITY = "equal_opportunity_difference"
EQUALIZED_ODDS = "equalized_odds_difference"


class Estimate(NamedTuple):
    """A number with its 95% interval.

    `metric` says what it is, `cells` which cells it is about, `n` counts their faces.
    """

    metric: str
    cells: tuple[int, ...]
    value: float
    interval: Interval
    n: int


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


def subgroup_estimates(
    correct: Hits,
    cells: NDArray[np.int64],
    seed: int = 0,
    *,
    prevalence: NDArray[np.floating] | NDArray[np.integer] | None = None,
) -> list[Estimate]:
    """Return accuracy over all faces, the two target groups and the four cells, and the gap.

    Parameters
    ----------
    correct : array, (S, N) bool, or float in [0, 1]
        Whether the classifier of each seed is right on each face; S = 1 for one classifier. Where its decisions are drawn,
        the probability that it is; values are then expectations.
    cells : array, (N,) int
        Cell of each face.
    seed : int
        Of the bootstrap.
    prevalence : array, (4,), optional
        How common each cell is out there. By default each face counts the same, so that equal cells weigh the same; with
        it the accuracy over several cells is what a population with these cells would see.

    Returns
    -------
    list of Estimate
        Accuracy of all, target, other, the four cells, as far as they have faces; then the gap, nan where a target group
        has no faces.

    Notes
    -----
    One classifier's accuracies, and those that are 0 or 1 for all seeds, get Wilson's interval, since no resampling
    tells how sure 0 or 1 is. Everything else is bootstrapped over faces within cells and, with several seeds, over seeds.
    """
    rates = _over_seeds(bootstrap_rates(correct, cells, seed=seed), seed)
    sizes = np.bincount(cells, minlength=len(ALL_CELLS))
    weights = sizes if prevalence is None else np.where(sizes > 0, prevalence, 0)
    estimates = [
        _accuracy(correct, cells, rates, members, weights) for members in _groups() if weights[list(members)].any()
    ]
    if prevalence is None:
        estimates = [_with_wilson(estimate, correct, cells) for estimate in estimates]
    return [*estimates, _gap(estimates, rates, weights, len(cells))]


def worst_cell(estimates: list[Estimate]) -> Estimate:
    """Return the cell with the lowest accuracy among `subgroup_estimates`.

    The interval is that cell's own: it does not account for having been chosen as the worst.
    """
    single = [estimate for estimate in estimates if estimate.metric == ACCURACY and len(estimate.cells) == 1]
    return min(single, key=lambda estimate: estimate.value)._replace(metric=WORST_CELL)


def fairness_estimates(correct: Hits, cells: NDArray[np.int64], seed: int = 0) -> list[Estimate]:
    """Return the demographic parity, equal opportunity and equalized odds differences between confounder groups.

    Parameters
    ----------
    correct, cells, seed
        As in `subgroup_estimates`. The sensitive feature is the confounder; "yes" is to predict the target attribute.

    Returns
    -------
    list of Estimate
        Three, each 0 (no difference) to 1, the mean over seeds; nan where a cell has no faces.

    Notes
    -----
    The values are fairlearn's `MetricFrame.difference()` of selection rate, true positive rate, and the larger of true
    and false positive rate. The intervals are a multinomial bootstrap over confounder group x label x prediction. As
    absolute values they lean upwards where there is next to no difference, so they are widened to contain the value.

    References
    ----------
    Dwork et al. (2012); Hardt et al. (2016); `fairlearn.metrics`.
    """
    target = np.isin(cells, TARGET_CELLS)
    predicted = correct == target if correct.dtype == bool else np.where(target, correct, 1 - correct)
    sizes = np.bincount(cells, minlength=len(ALL_CELLS))
    names = (DEMOGRAPHIC_PARITY, EQUAL_OPPORTUNITY, EQUALIZED_ODDS)
    if not sizes.all():
        nan = float("nan")
        return [Estimate(name, ALL_CELLS, nan, Interval(nan, nan), len(cells)) for name in names]
    values = np.mean([_differences_by_fairlearn(row, cells) for row in predicted], axis=0)
    drawn = _differences(bootstrap_rates(predicted, cells, seed=seed), sizes)
    intervals = [percentile_interval((part * bootstrap_seeds(len(part.T), seed=seed)).sum(axis=1)) for part in drawn]
    return [
        Estimate(name, ALL_CELLS, float(value), Interval(min(low, value), max(high, value)), len(cells))
        for name, value, (low, high) in zip(names, values.tolist(), intervals, strict=True)
    ]


def _differences_by_fairlearn(predicted: Hits, cells: NDArray[np.int64]) -> tuple[float, float, float]:
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


def _differences(rates: NDArray[np.float64], sizes: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Return the three differences (R, S) for rates of "yes" in the four cells (R, S, 4) of these sizes."""
    selected = [np.average(rates[..., start::2], axis=-1, weights=sizes[start::2]) for start in (0, 1)]
    hit = np.abs(rates[..., 0] - rates[..., 1])
    false = np.abs(rates[..., 2] - rates[..., 3])
    return np.abs(selected[0] - selected[1]), hit, np.maximum(hit, false)


def _over_seeds(rates: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return the mean rates (R, cells) over seeds drawn anew in each replicate."""
    weights = bootstrap_seeds(rates.shape[1], len(rates), seed)
    pooled: NDArray[np.float64] = np.einsum("rsc,rs->rc", rates, weights)
    return pooled


def _groups() -> Iterator[tuple[int, ...]]:
    yield ALL_CELLS
    yield TARGET_CELLS
    yield OTHER_CELLS
    for cell in ALL_CELLS:
        yield (cell,)


def _accuracy(
    correct: Hits,
    cells: NDArray[np.int64],
    rates: NDArray[np.float64],
    members: tuple[int, ...],
    weights: NDArray[np.floating] | NDArray[np.integer],
) -> Estimate:
    filled = [cell for cell in members if weights[cell]]
    each = [float(correct[:, cells == cell].mean()) for cell in filled]
    value = float(np.average(each, weights=weights[filled]))
    faces = int(np.isin(cells, filled).sum())
    return Estimate(ACCURACY, members, value, percentile_interval(_pooled(rates, weights, members)), faces)


def _with_wilson(estimate: Estimate, correct: Hits, cells: NDArray[np.int64]) -> Estimate:
    chosen = correct[:, np.isin(cells, estimate.cells)]
    if chosen.dtype != bool:  # no count of successes
        return estimate
    if len(chosen) > 1 and chosen.any() and not chosen.all():
        return estimate
    return estimate._replace(interval=wilson(int(chosen[0].sum()), estimate.n))


def _gap(
    estimates: list[Estimate],
    rates: NDArray[np.float64],
    weights: NDArray[np.floating] | NDArray[np.integer],
    faces: int,
) -> Estimate:
    values = {estimate.cells: estimate.value for estimate in estimates}
    if TARGET_CELLS not in values or OTHER_CELLS not in values:
        nan = float("nan")
        return Estimate(GAP, ALL_CELLS, nan, Interval(nan, nan), faces)
    target, other = (_pooled(rates, weights, members) for members in (TARGET_CELLS, OTHER_CELLS))
    value = gap(values[TARGET_CELLS], values[OTHER_CELLS])
    return Estimate(GAP, ALL_CELLS, value, percentile_interval(other - target), faces)


def _pooled(
    rates: NDArray[np.float64], weights: NDArray[np.floating] | NDArray[np.integer], members: tuple[int, ...]
) -> NDArray[np.float64]:
    filled = [cell for cell in members if weights[cell]]
    pooled: NDArray[np.float64] = np.average(rates[:, filled], axis=1, weights=weights[filled])
    return pooled
