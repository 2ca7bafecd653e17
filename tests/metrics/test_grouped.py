"""Groups of several seeds: fairlearn's numbers, seed by seed, and intervals that hold for trainings too."""

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import GROUP_RATES, GroupDecisions, group_rates, spread_of, tally
from tests.metrics.test_crossed import FAIRLEARN

Drawn = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]


def drawn(seeds: int, count: int = 7, faces: int = 700, seed: int = 0) -> Drawn:
    generator = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(count), np.arange(count), generator.integers(0, count, faces - 2 * count)])
    target = np.concatenate([np.ones(count, bool), np.zeros(count, bool), generator.random(faces - 2 * count) < 0.4])
    rate = np.where(target, 0.8, 0.2) + 0.03 * groups
    return generator.random((seeds, faces)) < rate, target, groups


@pytest.mark.parametrize("seeds", [1, 3])
def test_rates_and_spreads_are_fairlearns_of_the_mean_over_seeds(seeds: int) -> None:
    yes, target, groups = drawn(seeds)
    decisions, counted = GroupDecisions(yes, target, groups, 7), np.ones(7, dtype=bool)
    frames = [MetricFrame(metrics=FAIRLEARN, y_true=target, y_pred=one, sensitive_features=groups) for one in yes]
    for name, each in decisions.rates().items():
        expected = np.mean([frame.by_group[name].to_numpy(float) for frame in frames], axis=0)
        assert each.value == pytest.approx(expected)
        assert (each.low <= each.value).all() and (each.value <= each.high).all()
        spread = decisions.spread(name, counted)
        assert spread.difference == pytest.approx(np.ptp(expected))
        assert spread.ratio == pytest.approx(expected.min() / expected.max())
        assert spread.difference_low <= spread.difference <= spread.difference_high


def test_one_seed_is_what_proportions_say() -> None:
    yes, target, groups = drawn(1)
    decisions, counted = GroupDecisions(yes, target, groups, 7), np.ones(7, dtype=bool)
    found = tally(yes[0], target, groups, 7)
    for name, each in group_rates(found).items():
        assert np.array_equal(decisions.rates()[name], each)
        spread = spread_of(lambda level, name=name: group_rates(found, level=level)[name], counted)
        assert decisions.spread(name, counted) == spread


@pytest.mark.parametrize("seeds", [1, 3])
def test_each_group_may_have_a_share_of_its_own(seeds: int) -> None:
    yes, target, groups = drawn(seeds)
    share = np.linspace(0, 1, 7)
    decisions = GroupDecisions(yes, target, groups, 7, share)
    rates, changes = decisions.rates(), decisions.changes(GroupDecisions(~yes, target, groups, 7, share))
    hit, false = rates["true_positive_rate"].value, rates["false_positive_rate"].value
    assert rates["selection_rate"].value == pytest.approx(share * hit + (1 - share) * false)
    assert rates["accuracy"].value == pytest.approx(share * hit + (1 - share) * (1 - false))
    assert changes["accuracy"].value == pytest.approx(1 - 2 * rates["accuracy"].value)
    assert rates["selection_rate"].low[0] == pytest.approx(rates["false_positive_rate"].low[0])  # it alone counts there
    spread = decisions.spread("selection_rate", np.ones(7, dtype=bool))
    assert spread.difference == pytest.approx(np.ptp(rates["selection_rate"].value))
    assert spread.difference_low <= spread.difference <= spread.difference_high
    with pytest.raises(FairsalError, match="same seeds, faces and groups"):
        decisions.changes(GroupDecisions(yes, target, groups, 7, share[::-1].copy()))


@pytest.mark.parametrize("share", [None, 0.5, np.full(7, 0.3)])
def test_seeds_that_agree_are_worth_no_more_faces(share: float | NDArray[np.float64] | None) -> None:
    yes, target, groups = drawn(1)
    alone = GroupDecisions(yes, target, groups, 7, share).rates()
    together = GroupDecisions(np.repeat(yes, 3, axis=0), target, groups, 7, share).rates()
    for name in GROUP_RATES:
        assert together[name].value == pytest.approx(alone[name].value)
        assert together[name].n.tolist() == alone[name].n.tolist()
        # Student's quantile in the place of the normal's: a little wider, and never narrower.
        assert together[name].low == pytest.approx(alone[name].low, abs=0.02)
        assert (together[name].high - together[name].low > alone[name].high - alone[name].low - 1e-9).all()


def test_changes_are_those_of_the_same_faces_and_seeds() -> None:
    before, target, groups = drawn(3)
    after = before.copy()
    after[:, groups == 2] = target[groups == 2]  # one group is mended
    first, second = (GroupDecisions(yes, target, groups, 7) for yes in (before, after))
    changes, rates, later = first.changes(second), first.rates(), second.rates()
    for name in GROUP_RATES:
        assert changes[name].value == pytest.approx(later[name].value - rates[name].value)
    accuracy = changes["accuracy"]
    assert accuracy.low[2] > 0 and accuracy.value[[0, 1, 3, 4, 5, 6]] == pytest.approx(0)
    assert (accuracy.high - accuracy.low)[0] < 0.7 * (rates["accuracy"].high - rates["accuracy"].low)[0]
    with pytest.raises(FairsalError, match="same seeds, faces and groups"):
        first.changes(GroupDecisions(after[:2], target, groups, 7))


def test_a_group_without_the_target_has_no_true_positive_rate() -> None:
    yes, target, groups = drawn(2)
    target = target & (groups != 3)
    rates = GroupDecisions(yes, target, groups, 7).rates()
    assert np.isnan(rates["true_positive_rate"].value[3]) and rates["true_positive_rate"].n[3] == 0
    assert np.isfinite(rates["false_positive_rate"].low[3])
    assert np.isfinite(GroupDecisions(yes, target, groups, 7).spread("true_positive_rate", np.ones(7, bool)).difference)


@pytest.mark.parametrize("apart", [0.0, 1.0])
def test_intervals_hold_for_what_trainings_would_give(apart: float) -> None:
    """Each seed shifts the rate of all groups together, or (apart) against each other; each face is hard or easy for all."""
    generator = np.random.default_rng(4)
    groups, everybody = np.repeat(np.arange(2), 60), np.ones(120, dtype=bool)
    truth, held = np.array([0.7, 0.6]), []
    for _ in range(150):
        shift = generator.normal(0, 0.06, (4, 1)) * np.array([1.0, 1.0 - 2 * apart])
        easy = generator.normal(0, 0.1, 120)
        yes = generator.random((4, 120)) < np.clip(truth + shift, 0, 1)[:, groups] + easy
        decisions = GroupDecisions(yes, everybody, groups, 2)
        rates, spread = decisions.rates()["selection_rate"], decisions.spread("selection_rate", everybody[:2])
        held.append(
            [*(rates.low <= truth) & (truth <= rates.high), spread.difference_low <= 0.1 <= spread.difference_high]
        )
    assert (np.mean(held, axis=0) > 0.9).all(), np.mean(held, axis=0)
