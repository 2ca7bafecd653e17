"""Intervals of weighted sums of cells: against Newcombe's own figures, their plain forms, and by how often they hold."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats

from fairsal_core.metrics.intervals import Interval, wilson
from fairsal_core.metrics.mover import (
    change_interval,
    contrast_interval,
    difference_interval,
    difference_of_sizes,
    mean_interval,
    size_of,
)

GAP = np.array([-0.5, -0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Newcombe (1998), table II, method 10.
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_newcombes_examples(counts: tuple[int, int, int, int], expected: tuple[float, float]) -> None:
    assert difference_interval(*counts) == pytest.approx(expected, abs=6e-5)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_a_difference_is_never_of_zero_width_and_within_what_it_can_be(n1: int, n2: int, data: st.DataObject) -> None:
    k1, k2 = data.draw(st.integers(0, n1)), data.draw(st.integers(0, n2))
    low, high = difference_interval(k1, n1, k2, n2)
    assert -1 <= low <= k1 / n1 - k2 / n2 <= high <= 1
    assert low < high
    assert difference_interval(k2, n2, k1, n1) == pytest.approx((-high, -low))


def test_without_trials_there_is_none() -> None:
    assert all(math.isnan(end) for end in difference_interval(0, 0, 1, 2))


def one_network(*counts: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Answers of one network: (right, faces) of each cell."""
    hits = np.concatenate([np.arange(n) < k for k, n in counts])[None]
    return hits, np.repeat(np.arange(len(counts)), [n for _, n in counts])


def test_one_cell_of_one_network_is_wilsons() -> None:
    hits, cells = one_network((45, 50), (3, 12))
    assert contrast_interval(hits, cells, np.array([1.0, 0.0])) == pytest.approx(wilson(45, 50))
    assert contrast_interval(hits, cells, np.array([0.0, 1.0])) == pytest.approx(wilson(3, 12))


def test_two_cells_are_newcombes_with_students_quantile() -> None:
    """By hand, from the ends that each cell has; with many faces Student's quantile is the normal's."""
    hits, cells = one_network((5600, 7000), (4800, 8000))
    found = contrast_interval(hits, cells, np.array([1.0, -1.0]))
    assert found == pytest.approx(difference_interval(5600, 7000, 4800, 8000), abs=1e-5)


def slow_contrast(hits: NDArray[np.bool_], cells: NDArray[np.int64], weights: NDArray[np.float64]) -> Interval:
    """The same, step by step, for several seeds."""
    seeds = len(hits)
    faces = [int((cells == cell).sum()) for cell in range(len(weights))]
    quantile = stats.t.ppf(0.975, sum(n - 1 for n in faces))
    below = above = variance = chance = total = 0.0
    for cell, weight in enumerate(weights):
        part = hits[:, cells == cell].astype(float)
        n = part.shape[1]
        mean = sum(part[s, f] for s in range(seeds) for f in range(n)) / seeds / n
        by_face = [sum(part[:, f]) / seeds for f in range(n)]
        of_faces = sum((each - mean) ** 2 for each in by_face) / (n - 1) / n
        worth = min(max(mean * (1 - mean) / of_faces, n), seeds * n)
        root = quantile * math.sqrt(mean * (1 - mean) / worth + quantile**2 / 4 / worth**2)
        low = (mean + quantile**2 / 2 / worth - root) / (1 + quantile**2 / worth)
        high = (mean + quantile**2 / 2 / worth + root) / (1 + quantile**2 / worth)
        rest = sum((part[s, f] - by_face[f] - part[s].mean() + mean) ** 2 for s in range(seeds) for f in range(n))
        total += weight * mean
        below += weight**2 * ((mean - low) if weight > 0 else (high - mean)) ** 2
        above += weight**2 * ((high - mean) if weight > 0 else (mean - low)) ** 2
        variance += weight**2 * of_faces
        chance += weight**2 * rest / ((seeds - 1) * (n - 1)) / (seeds * n)
    sums = [sum(weights[c] * hits[s, cells == c].mean() for c in range(len(weights))) for s in range(seeds)]
    skewness = stats.skew(sums) * (1 - 1 / seeds) ** 1.5 if min(weights) >= 0 else 0.0
    bend = skewness / (6 * math.sqrt(seeds))
    down, up = (abs(slow_willink(end, bend)) * stats.sem(sums) for end in stats.t.interval(0.95, seeds - 1)[::-1])
    share = max(1 - chance / variance, 0.1)
    return Interval(
        total - math.hypot(math.sqrt(share * below), down), total + math.hypot(math.sqrt(share * above), up)
    )


def slow_willink(quantile: float, bend: float) -> float:
    """Where Hall's (1992) transformation of the studentised mean is Student's quantile, by looking for it, but not too far."""
    found = float(optimize.brentq(lambda x: hall(x, bend) - quantile, -1e3, 1e3))
    return float(np.clip(found, -2 * abs(quantile), 2 * abs(quantile)))


def hall(studentised: float, bend: float) -> float:
    return studentised + 2 * bend * studentised**2 + 4 / 3 * bend**2 * studentised**3 + bend


@pytest.mark.parametrize("weights", [GAP, np.array([0.25, 0.25, 0.25, 0.25])])
@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
def test_several_seeds_against_the_same_step_by_step(seeds: int, weights: NDArray[np.float64]) -> None:
    generator = np.random.default_rng(3)
    cells = np.repeat(np.arange(4), (20, 30, 25, 40))
    difficulty = generator.normal(size=len(cells))
    hits = generator.normal(size=(seeds, len(cells))) + difficulty > -1
    assert contrast_interval(hits, cells, weights) == pytest.approx(slow_contrast(hits, cells, weights))


def test_the_same_network_twice_may_still_differ_on_other_faces() -> None:
    hits, cells = one_network((9, 10), (5, 10), (10, 10), (8, 10))
    for weights in (GAP, np.array([1.0, 0, 0, 0])):
        low, high = change_interval(hits, hits, cells, weights)
        assert low < 0 < high


def test_a_cell_without_faces_says_nothing() -> None:
    hits, cells = one_network((9, 10), (0, 0), (10, 10), (8, 10))
    assert all(math.isnan(end) for end in contrast_interval(hits, cells, GAP))
    assert all(math.isnan(end) for end in change_interval(hits, hits, cells, GAP))
    assert contrast_interval(hits, cells, np.array([1.0, 0, 0, 0])).low > 0.5


def test_sizes() -> None:
    assert size_of(Interval(-0.3, 0.1)) == (0.0, 0.3)
    low, high = difference_of_sizes(0.5, Interval(0.4, 0.6), 0.2, Interval(0.0, 0.3))
    assert (low, high) == pytest.approx((-0.3 - math.hypot(0.2, 0.1), -0.3 + math.hypot(0.1, 0.1)))


SEED_SD = 0.1


def answers(
    generator: np.random.Generator, faces: int, seeds: int, accuracy: float, hard: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Answers of networks whose accuracy goes up and down together in two cells, against the other two."""
    effect = generator.normal(0, SEED_SD, seeds) if seeds > 1 else np.zeros(1)
    right = np.clip(accuracy + np.outer(effect, np.repeat([-1, -1, 1, 1], faces)), 0.001, 0.999)
    return np.asarray((hard + generator.normal(size=right.shape)) / math.sqrt(2) < stats.norm.ppf(right))


@pytest.mark.parametrize(("faces", "seeds"), [(10, 1), (50, 1), (20, 3), (50, 5)])
def test_they_hold_as_often_as_they_say(faces: int, seeds: int) -> None:
    """Of 300 experiments 95% hold, give or take what 300 tell; a percentile bootstrap held in 70% with 3 seeds."""
    generator, cells = np.random.default_rng(faces), np.repeat(np.arange(4), faces)
    gaps = changes = 0
    for _ in range(300):
        hard = generator.normal(size=len(cells))
        before, after = (answers(generator, faces, seeds, 0.8, hard) for _ in range(2))
        gap, change = contrast_interval(before, cells, GAP), change_interval(before, after, cells, GAP)
        gaps += gap.low <= 0 <= gap.high
        changes += change.low <= 0 <= change.high
    assert 0.91 <= gaps / 300 <= 1
    assert 0.91 <= changes / 300 <= 1


SKEWED = np.array([[0.4, 0.9, 0.95, 1.0, 1.0]]).T


def test_a_rates_seeds_reach_farther_to_where_one_lies_far_off() -> None:
    hits, cells = np.repeat(SKEWED, 5000, axis=1), np.zeros(5000, dtype=np.int64)
    interval = contrast_interval(hits, cells, np.ones(1))
    half = stats.t.ppf(0.975, 4) * stats.sem(SKEWED[:, 0])
    assert interval.low < SKEWED.mean() - 1.2 * half
    assert interval.high < SKEWED.mean() + 0.85 * half


@example([0.0, 1e-110, 0.0])  # whose spread's cube is no number above 0
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_a_rates_interval_holds_the_rate_whatever_its_seeds(seeds: list[float]) -> None:
    hits, cells = np.repeat(np.array(seeds)[:, None], 20, axis=1), np.zeros(20, dtype=np.int64)
    low, high = contrast_interval(hits, cells, np.ones(1))
    assert 0 <= low <= hits.mean() + 1e-9 <= high + 2e-9 <= 1 + 2e-9
    assert low < high


def test_one_seed_far_off_does_not_take_an_interval_to_nothing() -> None:
    """Blond men under five networks of De Coninck et al.'s general mask: uncapped, Willink's began at 0."""
    seeds = np.array([0.55, 0.61, 0.61, 0.29, 0.55])
    low, _ = contrast_interval(np.repeat(seeds[:, None], 31, axis=1), np.zeros(31, dtype=np.int64), np.ones(1))
    half = stats.t.ppf(0.975, 4) * float(stats.sem(seeds))
    assert seeds.mean() - 2.5 * half < low < seeds.mean() - 1.2 * half


def test_a_differences_seeds_and_a_means_have_students_interval() -> None:
    half = stats.t.ppf(0.975, 4) * float(stats.sem(SKEWED[:, 0]))
    hits = np.hstack([np.repeat(SKEWED, 5000, axis=1), np.full((5, 5000), 0.5)])
    found = contrast_interval(hits, np.repeat([0, 1], 5000), np.array([1.0, -1.0]))
    assert found == pytest.approx((SKEWED.mean() - 0.5 - half, SKEWED.mean() - 0.5 + half), abs=0.001)
    assert mean_interval(hits[:, :5000]) == pytest.approx((SKEWED.mean() - half, SKEWED.mean() + half))


def test_seeds_that_are_hardly_skewed_have_nearly_students_interval() -> None:
    seeds = np.array([[0.1, 0.2, 0.3, 0.4, 0.5 + 1e-7]]).T
    half = stats.t.ppf(0.975, 4) * float(stats.sem(seeds[:, 0]))
    found = contrast_interval(np.repeat(seeds, 5000, axis=1), np.zeros(5000, dtype=np.int64), np.ones(1))
    assert found == pytest.approx((0.3 - half, 0.3 + half), abs=0.001)


@pytest.mark.parametrize(("faces", "seeds"), [(50, 3), (20, 5), (50, 5), (50, 10)])
def test_seeds_near_the_ceiling_hold_too(faces: int, seeds: int) -> None:
    """A cell at 0.99 whose seeds differ by ten points but cannot go beyond 1: Student's alone held in 0.86 to 0.90."""
    generator, accuracy = np.random.default_rng(faces), 0.99
    effects = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    truth = np.clip(accuracy + SEED_SD * effects, 0.001, 0.999).mean()
    cells, held = np.repeat(np.arange(4), faces), []
    for _ in range(400):
        hits = answers(generator, faces, seeds, accuracy, generator.normal(size=len(cells)))
        low, high = contrast_interval(hits, cells, np.array([1.0, 0, 0, 0]))
        held.append(low <= truth <= high)
    assert np.mean(held) >= 0.90
