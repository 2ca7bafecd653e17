"""Groups of any number, against fairlearn, and how often their intervals hold."""

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from fairsal_core.metrics import (
    GROUP_RATES,
    cross,
    group_rates,
    impact_ratios,
    large_enough,
    spread_of,
    tally,
)

FAIRLEARN = dict(
    zip(
        GROUP_RATES,
        (selection_rate, true_positive_rate, false_positive_rate, false_negative_rate, accuracy_score),
        strict=True,
    )
)


def drawn(seed: int, faces: int = 900) -> tuple[NDArray[np.bool_], NDArray[np.bool_], list[NDArray[np.int64]]]:
    generator = np.random.default_rng(seed)
    codes = [generator.integers(-1, count, faces) for count in (2, 4)]  # -1: unknown
    target = generator.random(faces) < 0.4
    yes = generator.random(faces) < np.where(target, 0.8, 0.2) + 0.1 * codes[0] * (codes[1] == 1)
    return yes, target, codes


@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_are_fairlearns(seed: int) -> None:
    yes, target, codes = drawn(seed)
    crossing = cross(codes)
    found = tally(yes, target, crossing.numbers, len(crossing.classes))
    rates = group_rates(found)
    frame = MetricFrame(metrics=FAIRLEARN, y_true=target, y_pred=yes, sensitive_features={"a": codes[0], "b": codes[1]})
    assert len(crossing.classes) == 3 * 5
    for name, each in rates.items():
        expected = [frame.by_group.loc[tuple(group), name] for group in crossing.classes.tolist()]
        assert each.value == pytest.approx(expected)
        spread = spread_of(lambda level, name=name: group_rates(found, level=level)[name], np.ones(15, dtype=bool))
        assert spread.difference == pytest.approx(frame.difference()[name])
        assert spread.ratio == pytest.approx(frame.ratio()[name])
        assert spread.difference_low <= spread.difference <= spread.difference_high
        assert spread.ratio_low <= spread.ratio <= spread.ratio_high


def test_the_equal_view_weighs_both_labels_alike() -> None:
    found = tally(*drawn(0)[:2], np.zeros(900, dtype=np.int64), 1)
    rates = {name: each.value[0] for name, each in group_rates(found, share=0.5).items()}
    assert rates["selection_rate"] == pytest.approx((rates["true_positive_rate"] + rates["false_positive_rate"]) / 2)
    assert rates["accuracy"] == pytest.approx((rates["true_positive_rate"] + 1 - rates["false_positive_rate"]) / 2)
    natural = group_rates(found, share=float(found.target[0] / found.faces[0]))
    as_they_are = group_rates(found)
    for name in GROUP_RATES:
        assert natural[name].value == pytest.approx(as_they_are[name].value)


def test_drawn_decisions_are_counted_as_expected() -> None:
    target = np.array([True, True, False])
    found = tally(np.array([0.5, 1.0, 0.25]), target, np.zeros(3, dtype=np.int64), 1)
    assert group_rates(found)["true_positive_rate"].value.tolist() == [0.75]
    assert group_rates(found)["accuracy"].value.tolist() == [pytest.approx(2.25 / 3)]


def test_the_impact_is_against_the_most_selected_of_those_that_count() -> None:
    yes = np.repeat([True, False, True, False, True], [30, 70, 60, 40, 3])
    groups = np.repeat([0, 0, 1, 1, 2], [30, 70, 60, 40, 3])
    found = tally(yes, np.ones(len(yes), dtype=bool), groups, 3)
    counted = large_enough(found.faces)
    assert counted.tolist() == [True, True, False]  # 3 of 203 are fewer than one in fifty
    ratios = impact_ratios(lambda level: group_rates(found, level=level)["selection_rate"], counted)
    assert ratios.value[:2] == pytest.approx([0.5, 1.0])
    assert np.isnan(ratios.value[2])
    assert (ratios.low[:2] <= ratios.value[:2]).all() and (ratios.value[:2] <= ratios.high[:2]).all()


def test_where_nobody_is_selected_there_is_no_ratio() -> None:
    found = tally(np.zeros(40, dtype=bool), np.ones(40, dtype=bool), np.repeat([0, 1], 20), 2)
    counted = np.ones(2, dtype=bool)
    assert np.isnan(impact_ratios(lambda level: group_rates(found, level=level)["selection_rate"], counted).value).all()
    assert np.isnan(spread_of(lambda level: group_rates(found, level=level)["selection_rate"], counted).ratio)


@pytest.mark.parametrize("rates", [(0.9, 0.9, 0.95, 0.9), (0.2, 0.6)])
@pytest.mark.parametrize("n", [20])
def test_intervals_of_the_spread_hold(rates: tuple[float, ...], n: int) -> None:
    generator = np.random.default_rng(2)
    groups, everybody = np.repeat(np.arange(len(rates)), n), np.ones(len(rates) * n, dtype=bool)
    truth, ratio = max(rates) - min(rates), min(rates) / max(rates)
    held = []
    for _ in range(500):
        yes = generator.random(len(groups)) < np.array(rates)[groups]
        found = tally(yes, everybody, groups, len(rates))
        spread = spread_of(
            lambda level, found=found: group_rates(found, level=level)["selection_rate"], everybody[: len(rates)]
        )
        held.append(
            (
                spread.difference_low <= truth <= spread.difference_high,
                not spread.ratio_low > ratio and not spread.ratio_high < ratio,
            )
        )
    assert (np.mean(held, axis=0) > 0.92).all()
