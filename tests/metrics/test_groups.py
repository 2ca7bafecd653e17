"""Accuracy per subgroup and the gap, against counting."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from fairsal_core.faces import CELLS
from fairsal_core.metrics import (
    ALL_CELLS,
    DEMOGRAPHIC_PARITY,
    EQUAL_OPPORTUNITY,
    EQUALIZED_ODDS,
    GAP,
    OTHER_CELLS,
    TARGET_CELLS,
    Decisions,
    Estimate,
    Interval,
    cell_numbers,
    change_estimates,
    contrast_interval,
    fairness_estimates,
    gap,
    odds_change,
    shortcut_gap,
    size_of,
    subgroup_estimates,
    wilson,
    worst_cell,
    worst_cell_change,
)
from fairsal_core.metrics.groups import impact_ratio
from fairsal_core.metrics.proportions import rates_of, ratio_of


def judged(
    seeds: int, rates: tuple[float, ...], per_cell: int = 40, seed: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return correctness (S, N) at a rate per cell, and the cells, shuffled."""
    generator = np.random.default_rng(seed)
    cells = generator.permutation(np.repeat(np.arange(4), per_cell))
    return generator.random((seeds, len(cells))) < np.array(rates)[cells], cells


def by_cells(estimates: list[Estimate]) -> dict[tuple[int, ...], Estimate]:
    """The accuracies by cells, and the gap under no cells."""
    return {() if estimate.metric == GAP else estimate.cells: estimate for estimate in estimates}


def test_cells_are_numbered_as_faces_lists_them() -> None:
    target, confounder = (np.array([getattr(cell, name) for cell in CELLS]) for name in ("target", "confounder"))
    assert cell_numbers(target, confounder).tolist() == [0, 1, 2, 3]
    assert [CELLS[cell].target for cell in TARGET_CELLS] == [True, True]
    assert [CELLS[cell].target for cell in OTHER_CELLS] == [False, False]


def test_the_gap_is_women_minus_men() -> None:
    assert gap(accuracy_target=0.60, accuracy_other=0.88) == pytest.approx(0.28)  # Table 1, Blond_Hair, original


@pytest.mark.parametrize("seeds", [1, 3])
def test_values_by_counting(seeds: int) -> None:
    correct, cells = judged(seeds, (0.3, 0.9, 0.95, 0.6))
    estimates = subgroup_estimates(correct, cells)
    expected_order = [(0, 1, 2, 3), (0, 1), (2, 3), (0,), (1,), (2,), (3,), ()]
    assert list(by_cells(estimates)) == expected_order
    for estimate in estimates[:-1]:
        hits = [correct[s, i] for s in range(seeds) for i in range(len(cells)) if cells[i] in estimate.cells]
        assert estimate.value == pytest.approx(sum(hits) / len(hits))
        assert estimate.n == len(hits) / seeds
    found = by_cells(estimates)
    assert found[()].value == pytest.approx(found[OTHER_CELLS].value - found[TARGET_CELLS].value)
    assert found[()].value > 0  # women are right more often here
    assert found[()].n == 160


@pytest.mark.parametrize("seeds", [1, 2, 8])
def test_intervals_contain_their_value(seeds: int) -> None:
    for trial in range(3):
        for estimate in subgroup_estimates(*judged(seeds, (0.2, 0.9, 0.99, 0.5), seed=trial)):
            assert estimate.interval.low <= estimate.value <= estimate.interval.high
            assert estimate.interval.low < estimate.interval.high


def test_one_classifier_gets_wilsons_interval() -> None:
    correct, cells = judged(1, (0.4, 0.9, 1.0, 0.6))
    found = by_cells(subgroup_estimates(correct, cells))
    for members in ((0,), (1,), (2,), (3,)):
        chosen = correct[0, np.isin(cells, members)]
        assert found[members].interval == pytest.approx(wilson(int(chosen.sum()), len(chosen)))
    assert found[(2,)].value == 1.0
    assert found[(2,)].interval.low < 0.95


def test_the_gaps_interval_has_the_analytic_width() -> None:
    correct, cells = judged(1, (0.7, 0.7, 0.8, 0.8), per_cell=250)
    found = by_cells(subgroup_estimates(correct, cells))[()]
    variance = sum(rate * (1 - rate) / 250 / 4 for rate in (correct[0, cells == cell].mean() for cell in range(4)))
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.08)


def test_seeds_that_disagree_widen_the_interval() -> None:
    cells = np.repeat(np.arange(4), 100)
    generator = np.random.default_rng(0)
    alike = generator.random((6, 400)) < 0.7
    apart = generator.random((6, 400)) < np.linspace(0.4, 1.0, 6)[:, None]
    widths = []
    for correct in (alike, apart):
        interval = by_cells(subgroup_estimates(correct, cells))[ALL_CELLS].interval
        widths.append(interval.high - interval.low)
    assert widths[1] > 2 * widths[0]


def test_cells_of_different_size_are_weighed_by_their_faces() -> None:
    cells = np.repeat(np.arange(4), [10, 90, 50, 50])
    correct = np.stack([cells != 0] * 2)
    found = by_cells(subgroup_estimates(correct, cells))
    assert found[TARGET_CELLS].value == pytest.approx(0.9)
    assert found[()].value == pytest.approx(0.1)
    for key in (TARGET_CELLS, ()):  # however alike two seeds are, 10 faces of 10 leave room
        assert found[key].interval.high - found[key].interval.low > 0.02


def test_an_empty_cell_and_an_empty_group() -> None:
    correct, cells = judged(2, (0.5, 0.5, 0.5, 0.5))
    without_one = by_cells(subgroup_estimates(correct[:, cells != 1], cells[cells != 1]))
    assert (1,) not in without_one
    assert not math.isnan(without_one[()].value)
    only_target = by_cells(subgroup_estimates(correct[:, cells < 2], cells[cells < 2]))
    assert OTHER_CELLS not in only_target
    assert math.isnan(only_target[()].value)
    assert math.isnan(only_target[()].interval.low)


def test_the_shortcut_gap_is_aligned_less_conflicting() -> None:
    cells = {0: 0.08, 1: 0.97, 2: 0.96, 3: 0.5}
    assert shortcut_gap(cells) == pytest.approx((0.97 + 0.96) / 2 - (0.08 + 0.5) / 2)
    assert shortcut_gap(list(cells.values()), conflicting=(1, 2)) == pytest.approx(-shortcut_gap(cells))


def test_the_worst_cell_is_the_one_with_the_lowest_accuracy() -> None:
    correct, cells = judged(3, (0.3, 0.9, 0.95, 0.6))
    estimates = subgroup_estimates(correct, cells)
    worst = worst_cell(estimates)
    assert worst == by_cells(estimates)[(0,)]._replace(metric="worst_cell")
    assert worst.value == min(correct[:, cells == cell].mean() for cell in range(4))


def by_metric(estimates: list[Estimate]) -> dict[str, Estimate]:
    return {estimate.metric: estimate for estimate in estimates}


def oracles() -> dict[str, Callable[..., float]]:
    from fairlearn import metrics

    names = (DEMOGRAPHIC_PARITY, EQUAL_OPPORTUNITY, EQUALIZED_ODDS)
    return {name: getattr(metrics, name) for name in names}


def oracle(name: str, correct: NDArray[np.bool_], cells: NDArray[np.int64]) -> float:
    target, confounder = cells < 2, cells % 2 == 0
    judge, seeds = oracles()[name], len(correct)
    said = (correct == target).ravel()  # what all seeds say, together
    return float(judge(np.tile(target, seeds), said, sensitive_features=np.tile(confounder, seeds)))


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("name", [DEMOGRAPHIC_PARITY, EQUAL_OPPORTUNITY, EQUALIZED_ODDS])
def test_fairness_differences_are_fairlearns(name: str, seeds: int) -> None:
    correct, cells = judged(seeds, (0.3, 0.9, 0.95, 0.6))
    keep = np.arange(160) % 7 != 0  # cells of different size
    found = by_metric(fairness_estimates(correct[:, keep], cells[keep]))[name]
    assert found.value == pytest.approx(oracle(name, correct[:, keep], cells[keep]), abs=1e-12)
    assert found.interval.low <= found.value <= found.interval.high
    assert found.n == keep.sum()


def test_their_intervals_are_those_of_signed_differences_folded() -> None:
    correct, cells = judged(3, (0.35, 0.8, 0.95, 0.55), per_cell=60)
    found = by_metric(fairness_estimates(correct, cells))
    yes = correct == (cells < 2)
    signed = [
        contrast_interval(yes, cells, np.array(weights, dtype=float))
        for weights in ((0.5, -0.5, 0.5, -0.5), (1, -1, 0, 0), (0, 0, 1, -1))
    ]
    parity, hit, false = map(size_of, signed)
    assert found[DEMOGRAPHIC_PARITY].interval == pytest.approx(parity)
    assert found[EQUAL_OPPORTUNITY].interval == pytest.approx(hit)
    surer = [
        size_of(contrast_interval(yes, cells, np.array(weights, dtype=float), 0.95**0.5)).low
        for weights in ((1, -1, 0, 0), (0, 0, 1, -1))
    ]
    assert found[EQUALIZED_ODDS].interval == pytest.approx((max(surer), max(hit.high, false.high)))
    assert signed[1].high < 0 < hit.low  # below 0 for sure, and so folded


def test_no_difference_lies_within_its_interval() -> None:
    cells = np.repeat(np.arange(4), 50)
    correct = np.tile(np.arange(50) < 35, 4)[None]
    for estimate in fairness_estimates(correct, cells):
        assert estimate.value == pytest.approx(0)
        assert estimate.interval.low == pytest.approx(0)
        assert estimate.interval.high > 0.1


def test_without_a_cell_there_is_no_difference() -> None:
    correct, cells = judged(2, (0.5, 0.5, 0.5, 0.5))
    for estimate in fairness_estimates(correct[:, cells != 3], cells[cells != 3]):
        assert math.isnan(estimate.value)
        assert math.isnan(estimate.interval.low)


def test_drawn_decisions_give_the_metrics_of_a_thousand_draws() -> None:
    generator = np.random.default_rng(0)
    cells = np.repeat(np.arange(4), 50)
    probability = np.round(generator.random(200), 1)
    expected = [*subgroup_estimates(probability[None], cells), *fairness_estimates(probability[None], cells)]
    draws = generator.random((1000, 200)) < probability
    target = cells < 2
    yes = np.where(target, draws.mean(axis=0), 1 - draws.mean(axis=0))
    rates = np.array([yes[cells == cell].mean() for cell in range(4)])
    odds = max(abs(rates[0] - rates[1]), abs(rates[2] - rates[3]))
    by_name = {(estimate.metric, estimate.cells): estimate for estimate in expected}
    for cell in range(4):
        found = by_name["accuracy", (cell,)]
        assert found.value == pytest.approx(draws[:, cells == cell].mean(), abs=5e-3)
        assert found.interval.low < found.value < found.interval.high
    assert by_name["equalized_odds_difference", (0, 1, 2, 3)].value == pytest.approx(odds, abs=1e-2)


def test_certain_decisions_are_the_same_as_numbers_and_as_truth_values() -> None:
    generator = np.random.default_rng(1)
    cells = np.repeat(np.arange(4), 30)
    correct = generator.random((3, 120)) < 0.7
    for estimates in (subgroup_estimates, fairness_estimates):
        assert [each.value for each in estimates(correct, cells)] == pytest.approx(
            [each.value for each in estimates(correct.astype(float), cells)]
        )


@pytest.mark.parametrize("swapped", [False, True])
def test_the_impact_ratio_is_the_rarer_groups_rate_over_the_others(swapped: bool) -> None:
    # "Yes" of 30 of 100 with the confounder and of 60 of 100 without, whichever that is.
    cells = np.repeat([1, 0, 3, 2] if swapped else [0, 1, 2, 3], 50)
    yes = np.concatenate([np.arange(50) < count for count in (20, 40, 10, 20)])
    estimate = impact_ratio(Decisions((yes == np.isin(cells, TARGET_CELLS))[None, :], cells))
    assert estimate.value == pytest.approx(0.5)
    plain = ratio_of(rates_of(30, 100), rates_of(60, 100))
    # The cells are strata: their interval is that of the plain ratio, or a little narrower.
    assert plain.low - 0.02 <= estimate.interval.low < 0.5 < estimate.interval.high <= plain.high + 0.02


def test_an_impact_ratio_of_groups_alike_ends_at_one_and_allows_for_either_side() -> None:
    cells = np.repeat([0, 1, 2, 3], 50)
    yes = np.concatenate([np.arange(50) < count for count in (30, 29, 10, 10)])
    estimate = impact_ratio(Decisions((yes == np.isin(cells, TARGET_CELLS))[None, :], cells))
    assert estimate.value == pytest.approx(39 / 40)
    assert estimate.interval.high == 1
    assert 0.6 < estimate.interval.low < 0.85


def test_an_impact_ratio_of_nobody_is_not_known() -> None:
    cells = np.repeat([0, 1, 2, 3], 5)
    nobody = np.isin(cells, OTHER_CELLS)[None, :]  # right about those without the target alone: no "yes"
    assert math.isnan(impact_ratio(Decisions(nobody, cells)).value)
    assert math.isnan(impact_ratio(Decisions(nobody[:, :10], cells[:10])).value)


def test_the_impact_ratios_interval_holds() -> None:
    """The truth, 0.5 / 0.6, lies in 95% of intervals, or nearly so."""
    generator = np.random.default_rng(1)
    cells = np.repeat([0, 1, 2, 3], 60)
    rates = np.array([0.8, 0.9, 0.2, 0.3])
    held = 0
    for _ in range(200):
        yes = generator.random(len(cells)) < rates[cells]
        interval = impact_ratio(Decisions((yes == np.isin(cells, TARGET_CELLS))[None, :], cells)).interval
        held += interval.low <= 0.5 / 0.6 <= interval.high
    assert held >= 180


# ---- more than two groups


def of_three(seeds: int, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Answers about three groups, cells of different size."""
    generator = np.random.default_rng(seed)
    cells = np.repeat(np.arange(6), (40, 30, 50, 60, 35, 45))
    rates = np.array([0.9, 0.6, 0.75, 0.95, 0.8, 0.5])[cells]
    return generator.random((seeds, len(cells))) < rates, cells


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("name", [DEMOGRAPHIC_PARITY, EQUAL_OPPORTUNITY, EQUALIZED_ODDS])
def test_differences_of_three_groups_are_fairlearns(name: str, seeds: int) -> None:
    correct, cells = of_three(seeds)
    target, said = cells < 3, (correct == (cells < 3)).ravel()
    found = by_metric(fairness_estimates(correct, cells, 3))[name]
    expected = oracles()[name](np.tile(target, seeds), said, sensitive_features=np.tile(cells % 3, seeds))
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.interval.low <= found.value <= found.interval.high


def test_accuracies_of_three_groups_by_hand() -> None:
    correct, cells = of_three(2)
    found = by_cells(subgroup_estimates(correct, cells, 3))
    assert found[tuple(range(6))].value == pytest.approx(correct.mean())
    assert found[0, 1, 2].value == pytest.approx(correct[:, cells < 3].mean())
    assert found[3, 4, 5].value == pytest.approx(correct[:, cells >= 3].mean())
    for cell in range(6):
        assert found[(cell,)].value == pytest.approx(correct[:, cells == cell].mean())
        assert found[(cell,)].n == (cells == cell).sum()
    gap = by_metric(subgroup_estimates(correct, cells, 3))[GAP]
    assert gap.value == pytest.approx(found[3, 4, 5].value - found[0, 1, 2].value)
    assert worst_cell(subgroup_estimates(correct, cells, 3)).cells == (5,)


def test_the_ends_of_three_groups_are_those_of_their_pairs() -> None:
    correct, cells = of_three(1)
    yes = correct == (cells < 3)
    pairs = ((1, -1, 0), (1, 0, -1), (0, 1, -1))

    def ends(level: float, of: tuple[int, ...]) -> Interval:
        return size_of(contrast_interval(yes, cells, np.array(of, dtype=float), level))

    found = by_metric(fairness_estimates(correct, cells, 3))
    hits, false = [(*pair, 0, 0, 0) for pair in pairs], [(0, 0, 0, *pair) for pair in pairs]
    for name, contrasts in ((EQUAL_OPPORTUNITY, hits), (EQUALIZED_ODDS, [*hits, *false])):
        surely = 0.95 ** (1 / len(contrasts))
        low, high = max(ends(surely, each).low for each in contrasts), max(ends(0.95, each).high for each in contrasts)
        assert found[name].interval == pytest.approx((low, high))


def test_the_impact_ratio_of_three_groups_is_the_least_of_all_pairs() -> None:
    correct, cells = of_three(1)
    decisions = Decisions(correct, cells, 3)
    yes = decisions.yes[0]
    rates = [yes[cells % 3 == group].mean() for group in range(3)]
    estimate = impact_ratio(decisions)
    assert estimate.value == pytest.approx(min(rates) / max(rates))
    assert estimate.interval.low < estimate.value < estimate.interval.high <= 1
    alike = impact_ratio(Decisions(np.tile(np.arange(60) < 30, 6)[None], np.repeat(np.arange(6), 60), 3))
    assert (alike.value, alike.interval.high) == (pytest.approx(1.0), 1.0)


def test_intervals_of_three_groups_that_are_alike_hold() -> None:
    """Groups that are treated alike differ by 0, which the interval of the largest of three differences leaves out seldom."""
    generator = np.random.default_rng(3)
    cells = np.repeat(np.arange(6), 40)
    held = 0
    for _ in range(200):
        correct = generator.random((1, len(cells))) < 0.8
        held += all(each.interval.low == 0 for each in fairness_estimates(correct, cells, 3))
    assert held >= 180


def test_changes_of_three_groups_by_hand() -> None:
    before, cells = of_three(2)
    after, _ = of_three(2, seed=1)
    found = change_estimates(before, after, cells, 3)
    assert [each.cells for each in found] == [
        tuple(range(6)),
        (0, 1, 2),
        (3, 4, 5),
        *((cell,) for cell in range(6)),
        tuple(range(6)),
    ]
    assert found[3].value == pytest.approx((after - before.astype(float))[:, cells == 0].mean())
    odds = [by_metric(fairness_estimates(each, cells, 3))[EQUALIZED_ODDS].value for each in (before, after)]
    assert odds_change(before, after, cells, 3).value == pytest.approx(odds[1] - odds[0])
    worst = worst_cell_change(before, after, cells, 3)
    assert worst.value == pytest.approx(
        worst_cell(subgroup_estimates(after, cells, 3)).value - worst_cell(subgroup_estimates(before, cells, 3)).value
    )
