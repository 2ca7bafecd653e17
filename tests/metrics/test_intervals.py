"""Intervals against formulas by hand and a bootstrap that resamples one face at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairsal_core.metrics import bootstrap_rates, bootstrap_seeds, intervals, percentile_interval, wilson

Z = 1.959963984540054


def slow_wilson(successes: int, n: int, z: float = Z) -> tuple[float, float]:
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def bootstrap_cells(
    correct: NDArray[np.bool_], cells: NDArray[np.int64], replicates: int, seed: int = 0
) -> NDArray[np.float64]:
    """Accuracy of each cell (replicates, 4), over the seeds of each replicate."""
    rates = bootstrap_rates(correct, cells, replicates=replicates, seed=seed)
    pooled: NDArray[np.float64] = (rates * bootstrap_seeds(len(correct), replicates, seed)[:, :, None]).sum(axis=1)
    return pooled


def slow_bootstrap(correct: NDArray[np.bool_], cells: NDArray[np.int64], replicates: int) -> NDArray[np.float64]:
    """Draw seeds, draw faces within each cell, and average, with plain loops."""
    generator = np.random.default_rng(99)
    result = np.full((replicates, 4), np.nan)
    for replicate in range(replicates):
        seeds = generator.integers(len(correct), size=len(correct))
        for cell in range(4):
            members = np.flatnonzero(cells == cell)
            if len(members):
                faces = generator.choice(members, size=len(members))
                result[replicate, cell] = np.mean([correct[seed, face] for seed in seeds for face in faces])
    return result


@given(n=st.integers(1, 400), share=st.floats(0, 1))
def test_wilson_by_hand(n: int, share: float) -> None:
    successes = round(share * n)
    interval = wilson(successes, n)
    assert interval == pytest.approx(slow_wilson(successes, n), abs=1e-9)
    assert 0 <= interval.low <= successes / n + 1e-12
    assert successes / n - 1e-12 <= interval.high <= 1


def test_wilson_at_the_ends_and_of_nothing() -> None:
    assert wilson(0, 10).low == pytest.approx(0)
    assert wilson(0, 10).high > 0.2
    assert wilson(10, 10).high == pytest.approx(1)
    assert all(math.isnan(end) for end in wilson(0, 0))


def test_wilson_at_another_level() -> None:
    assert wilson(30, 50, level=0.9) == pytest.approx(slow_wilson(30, 50, 1.6448536269514722), abs=1e-9)


def test_one_classifier_has_the_binomials_error() -> None:
    correct = np.random.default_rng(0).random((1, 400)) < 0.8
    replicates = bootstrap_cells(correct, np.zeros(400, dtype=int), replicates=4000)
    p = correct.mean()
    assert replicates.shape == (4000, 4)
    assert replicates[:, 0].mean() == pytest.approx(p, abs=0.002)
    assert replicates[:, 0].std() == pytest.approx(math.sqrt(p * (1 - p) / 400), rel=0.06)
    assert np.isnan(replicates[:, 1:]).all()


def test_several_seeds_against_the_loop() -> None:
    generator = np.random.default_rng(1)
    cells = np.repeat([0, 1, 2, 3], [12, 8, 15, 10])
    correct = generator.random((3, 45)) < np.array([0.2, 0.6, 1.0])[:, None]
    fast = bootstrap_cells(correct, cells, replicates=4000)
    slow = slow_bootstrap(correct, cells, 1500)
    np.testing.assert_allclose(fast.mean(axis=0), slow.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(fast.std(axis=0), slow.std(axis=0), rtol=0.1)
    # The seeds are drawn once for all cells, so that cells go up and down together.
    fast_together, slow_together = np.corrcoef(fast, rowvar=False), np.corrcoef(slow, rowvar=False)
    np.testing.assert_allclose(fast_together, slow_together, atol=0.12)
    assert fast_together[0, 1] > 0.2


def test_identical_classifiers_gain_nothing_from_more_seeds() -> None:
    one = np.random.default_rng(2).random((1, 60)) < 0.7
    cells = np.zeros(60, dtype=int)
    single = bootstrap_cells(one, cells, replicates=4000)[:, 0]
    many = bootstrap_cells(one.repeat(5, axis=0), cells, replicates=4000)[:, 0]
    assert many.std() == pytest.approx(single.std(), rel=0.06)


def test_replicates_are_pooled_over_seeds_face_by_face() -> None:
    """Two classifiers that are right on opposite faces average to one half, whatever faces are drawn."""
    first = np.arange(40) % 2 == 0
    replicates = bootstrap_cells(np.stack([first, ~first]), np.zeros(40, dtype=int), replicates=3000)[:, 0]
    both_drawn = np.isclose(replicates, 0.5)
    assert both_drawn.mean() >= 0.45  # whenever each seed is drawn once: half of the time


def test_the_seed_and_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    correct, cells = np.random.default_rng(3).random((2, 30)) < 0.6, np.arange(30) % 4
    first = bootstrap_cells(correct, cells, replicates=300, seed=1)
    np.testing.assert_array_equal(first, bootstrap_cells(correct, cells, replicates=300, seed=1))
    assert not np.array_equal(first, bootstrap_cells(correct, cells, replicates=300, seed=2))
    monkeypatch.setattr(intervals, "_CHUNK", 7)
    np.testing.assert_allclose(
        bootstrap_cells(correct, cells, replicates=2000, seed=1).std(axis=0),
        bootstrap_cells(correct, cells, replicates=2000, seed=5).std(axis=0),
        rtol=0.15,
    )
    assert not np.isnan(bootstrap_cells(correct, cells, replicates=10)).any()


def test_patterns_draw_what_single_faces_draw() -> None:
    """The seeds' rates go up and down together as they do where each face is drawn by itself."""
    generator = np.random.default_rng(4)
    hits = generator.random((3, 50)) < np.array([0.3, 0.5, 0.9])[:, None]
    hits[1] ^= hits[0]
    fast = bootstrap_rates(hits, np.zeros(50, dtype=int), count=1, replicates=6000)[:, :, 0]
    drawn = generator.integers(50, size=(6000, 50))
    slow = np.stack([[hits[seed, faces].mean() for seed in range(3)] for faces in drawn])
    np.testing.assert_allclose(fast.mean(axis=0), hits.mean(axis=1), atol=0.005)
    np.testing.assert_allclose(np.cov(fast.T), np.cov(slow.T), atol=4e-4)


def test_seed_weights_add_up_to_one() -> None:
    weights = bootstrap_seeds(4, replicates=500)
    assert weights.shape == (500, 4)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights.mean(axis=0), 0.25, atol=0.03)
    assert bootstrap_seeds(1).tolist() == [[1.0]] * 2000


def test_the_central_interval() -> None:
    assert percentile_interval(np.arange(1001) / 1000) == pytest.approx((0.025, 0.975))
    assert percentile_interval(np.arange(1001) / 1000, level=0.5) == pytest.approx((0.25, 0.75))
