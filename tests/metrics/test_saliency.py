"""Every saliency metric against a slow, obvious twin; the tests over images against scipy and a rank sum by hand."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from fairsal_core.errors import FairsalError
from fairsal_core.faces import Roi
from fairsal_core.metrics import saliency
from fairsal_core.metrics.saliency import (
    adr,
    det,
    dif,
    hrf,
    inside_minus_outside,
    magnitude,
    mrr,
    one_sided_test,
    rank_correlation,
    rddt,
    rrf,
    summarise,
)

Array = NDArray[np.float64]
NAN = float("nan")
RECTANGLE = Roi(x=5, y=1, width=4, height=3)  # off the diagonal, in images wider than high
SHAPE = (9, 14)


def maps(count: int = 6, seed: int = 0, shape: tuple[int, int] = SHAPE) -> Array:
    return np.random.default_rng(seed).random((count, *shape)) / 2


# The twins: one image, pixel by pixel.


def split(p: Array, mask: NDArray[np.bool_]) -> tuple[list[float], list[float]]:
    inside, outside = [], []
    for y in range(p.shape[0]):
        for x in range(p.shape[1]):
            (inside if mask[y, x] else outside).append(float(p[y, x]))
    return inside, outside


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else NAN


def slow_rrf(p: Array, mask: NDArray[np.bool_]) -> float:
    inside, outside = split(p, mask)
    total = math.fsum(inside + outside)
    return math.fsum(inside) / total if total and inside else NAN


def slow_hrf(p: Array, mask: NDArray[np.bool_]) -> float:
    return mean([float(value > 0.05) for value in split(p, mask)[0]]) if p.any() else NAN


def slow_mrr(p: Array, mask: NDArray[np.bool_]) -> float:
    inside, outside = (mean(values) for values in split(p, mask))
    return inside / outside if p.any() and outside else NAN


def slow_contrast(p: Array, mask: NDArray[np.bool_]) -> float:
    inside, outside = (mean(values) for values in split(p, mask))
    return inside - outside if p.any() else NAN


def slow_contrast_zeros_kept(p: Array, mask: NDArray[np.bool_]) -> float:
    inside, outside = split(p, mask)
    return mean(inside) - mean(outside + [0.0] * len(inside)) if p.any() and inside else NAN


def slow_adr(q: Array, p: Array, mask: NDArray[np.bool_]) -> float:
    return mean(split(q - p, mask)[0]) if q.any() and p.any() else NAN


def slow_dif(q: Array, p: Array, mask: NDArray[np.bool_]) -> float:
    return mean([float(value > 1e-3) for value in split(q - p, mask)[0]]) if q.any() and p.any() else NAN


ONE: list[tuple[Callable[..., Array], Callable[..., float]]] = [
    (rrf, slow_rrf),
    (hrf, slow_hrf),
    (mrr, slow_mrr),
    (inside_minus_outside, slow_contrast),
    (lambda p, roi: inside_minus_outside(p, roi, outside="zeros_kept"), slow_contrast_zeros_kept),
]
TWO: list[tuple[Callable[..., Array], Callable[..., float]]] = [(adr, slow_adr), (dif, slow_dif)]


def check(q: Array, p: Array, roi: object, masks: NDArray[np.bool_]) -> None:
    """Compare every metric with its twin; `masks` is what `roi` stands for, one an image."""
    for fast, slow in ONE:
        expected = [slow(one, mask) for one, mask in zip(p, masks, strict=True)]
        np.testing.assert_allclose(fast(p, roi), expected, rtol=1e-12, atol=1e-15)
    for fast, slow in TWO:
        expected = [slow(*three) for three in zip(q, p, masks, strict=True)]
        np.testing.assert_allclose(fast(q, p, roi), expected, rtol=1e-12, atol=1e-15)


def repeated(mask: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    return np.stack([mask] * count) if count else np.zeros((0, *mask.shape), dtype=bool)


@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize("shape", [SHAPE, (14, 9), (8, 8)])
def test_random_maps_and_masks(count: int, shape: tuple[int, int]) -> None:
    q, p = maps(count, 1, shape), maps(count, 2, shape)
    mask = np.random.default_rng(3).random(shape) < 0.3
    check(q, p, mask, repeated(mask, count))
    masks = np.random.default_rng(4).random((count, *shape)) < 0.5
    check(q, p, masks, masks)


def test_an_off_diagonal_rectangle() -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1:4, 5:9] = True
    q, p = maps(seed=1), maps(seed=2)
    check(q, p, RECTANGLE, repeated(mask, 6))
    only_there = np.zeros((1, *SHAPE))
    only_there[0, 2, 6] = 1.0
    assert rrf(only_there, RECTANGLE).tolist() == [1.0]
    assert np.isinf(mrr(only_there, RECTANGLE)).all()


def test_zero_and_identical_maps() -> None:
    q, p = maps(seed=1), maps(seed=2)
    p[2] = q[4] = 0
    q[3] = p[3]
    mask = RECTANGLE.mask(SHAPE)
    check(q, p, mask, repeated(mask, 6))
    assert np.isnan(rrf(np.zeros_like(p), mask)).all()
    assert adr(p[3:4], p[3:4], mask).tolist() == dif(p[3:4], p[3:4], mask).tolist() == [0.0]
    assert np.isnan(adr(q, p, mask)).tolist() == [False, False, True, False, True, False]


def test_a_map_that_is_no_number_gives_nan_and_leaves_the_others() -> None:
    p = maps(3)
    expected = rrf(p, RECTANGLE)
    p[0, 0, 0], p[1, 2, 6] = NAN, np.inf
    for metric in (rrf, hrf, mrr):
        assert np.isnan(metric(p, RECTANGLE)).tolist() == [True, True, False]
    assert rrf(p, RECTANGLE)[2] == expected[2]


def test_an_image_without_the_region_has_no_value() -> None:
    masks = repeated(RECTANGLE.mask(SHAPE), 3).copy()
    masks[1] = False
    for metric in (rrf, hrf, mrr):
        assert np.isnan(metric(maps(3), masks)).tolist() == [False, True, False]
    assert np.isnan(adr(maps(3, 1), maps(3, 2), masks)).tolist() == [False, True, False]


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    q, p = maps(11, 1), maps(11, 2)
    masks = np.random.default_rng(4).random((11, *SHAPE)) < 0.5
    whole = [adr(q, p, masks), rrf(p, RECTANGLE)]
    monkeypatch.setattr(saliency, "_CHUNK_VALUES", 3 * 9 * 14)
    np.testing.assert_array_equal(whole, [adr(q, p, masks), rrf(p, RECTANGLE)])


def test_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    q, p = maps(23, 1), maps(23, 2)
    p[20] = 0
    masks = np.random.default_rng(4).random((23, *SHAPE)) < 0.5

    def everything() -> list[Array]:
        return [magnitude(p - q), adr(q, p, masks), rrf(p, RECTANGLE), mrr(p, masks), dif(q, p, RECTANGLE)]

    monkeypatch.setattr(saliency, "_CHUNK_VALUES", 2 * 9 * 14)
    monkeypatch.setattr(saliency, "_MOST_THREADS", 1)
    alone = everything()
    monkeypatch.setattr(saliency, "_MOST_THREADS", 3)
    monkeypatch.setattr(saliency, "_CHUNKS_A_THREAD", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    for one, together in zip(alone, everything(), strict=True):
        np.testing.assert_array_equal(one, together)
    with pytest.raises(FairsalError, match="Magnitudes are not negative"):
        rrf(-p, RECTANGLE)


def test_float32_maps_are_summed_in_double_precision() -> None:
    p = maps(4, shape=(128, 128)).astype(np.float32)
    mask = Roi(10, 50, 60, 20).mask((128, 128))
    np.testing.assert_allclose(rrf(p, mask), rrf(p.astype(np.float64), mask), rtol=1e-14)


SEEDS = st.integers(0, 10_000)
SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(seed=SEEDS, shape=SIDES, dtype=st.sampled_from([np.float32, np.float64]))
def test_the_relevance_fraction_is_a_fraction(seed: int, shape: tuple[int, int], dtype: type) -> None:
    p = (maps(3, seed, shape) ** 8).astype(dtype)
    masks = np.random.default_rng(seed + 1).random((3, *shape)) < 0.5
    fraction = rrf(p, masks)
    known = fraction[~np.isnan(fraction)]
    assert ((known >= 0) & (known <= 1)).all()
    assert rrf(p, np.ones(shape, dtype=bool)).tolist() == [1.0] * 3
    both = rrf(p, masks) + rrf(p, ~masks)
    np.testing.assert_allclose(both[~np.isnan(both)], 1, rtol=1e-12)


@given(seed=SEEDS, shape=SIDES)
def test_the_average_difference_changes_sign_with_its_maps(seed: int, shape: tuple[int, int]) -> None:
    q, p = maps(3, seed, shape), maps(3, seed + 1, shape)
    masks = np.random.default_rng(seed + 2).random((3, *shape)) < 0.5
    np.testing.assert_array_equal(adr(q, p, masks), -adr(p, q, masks))
    share = dif(q, p, masks) + dif(p, q, masks)
    assert (share[~np.isnan(share)] <= 1).all()


@given(seed=SEEDS, factor=st.floats(0.01, 100))
def test_fractions_and_ratios_ignore_strength(seed: int, factor: float) -> None:
    p = maps(2, seed)
    np.testing.assert_allclose(rrf(factor * p, RECTANGLE), rrf(p, RECTANGLE), rtol=1e-10)
    np.testing.assert_allclose(mrr(factor * p, RECTANGLE), mrr(p, RECTANGLE), rtol=1e-10)


# Magnitude


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_magnitude_as_in_the_authors_code(dtype: type) -> None:
    relevance = np.random.default_rng(0).normal(size=(5, 3, 7, 4)).astype(dtype)
    summed = relevance.sum(axis=1)
    peak = np.abs(summed).max(axis=(1, 2), keepdims=True)
    to_unit = (summed + peak) / (2 * peak)
    result = magnitude(relevance)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, np.abs(to_unit - 0.5), atol=1e-6)
    np.testing.assert_allclose(result.max(axis=(1, 2)), 0.5, rtol=1e-6)
    np.testing.assert_array_equal(magnitude(summed), result)
    np.testing.assert_array_equal(magnitude(summed, "raw"), np.abs(summed))


def test_magnitude_of_nothing_and_of_what_is_no_number() -> None:
    relevance = np.ones((3, 2, 2))
    relevance[0], relevance[1, 0, 0] = 0, np.inf
    result = magnitude(relevance)
    assert result[0].tolist() == [[0, 0], [0, 0]]
    assert np.isnan(rrf(result, np.eye(2, dtype=bool))).tolist() == [True, True, False]
    assert magnitude(np.zeros((0, 4, 5))).shape == (0, 4, 5)
    assert magnitude(np.array([[[-2, 1]]])).tolist() == [[[0.5, 0.25]]]


def test_magnitude_leaves_its_argument_alone() -> None:
    relevance = -maps(2)
    before = relevance.copy()
    magnitude(relevance)
    magnitude(relevance, "raw")
    np.testing.assert_array_equal(relevance, before)


# Tests over images


def slow_signed_ranks(differences: list[float]) -> tuple[float, float]:
    """Return W+ and the rank-biserial correlation, ranks counted pair by pair."""
    changed = [value for value in differences if value]
    above = below = 0.0
    for value in changed:
        smaller = sum(abs(other) < abs(value) for other in changed)
        equal = sum(abs(other) == abs(value) for other in changed)
        rank = smaller + (equal + 1) / 2
        above, below = (above + rank, below) if value > 0 else (above, below + rank)
    return above, (above - below) / (above + below)


@pytest.mark.parametrize("count", [4, 30, 120])
def test_rddt_against_scipy(count: int) -> None:
    q, p = maps(count, 1) * 1.05, maps(count, 2)
    p[1] = q[1]
    mask = RECTANGLE.mask(SHAPE)
    differences = [slow_adr(*pair, mask) for pair in zip(q, p, strict=True)]
    ranked = rddt(q, p, RECTANGLE)
    oracle = stats.wilcoxon(differences, alternative="greater", zero_method="wilcox")
    assert ranked.p_value == pytest.approx(oracle.pvalue, rel=1e-9)
    assert (ranked.statistic, ranked.effect_size) == pytest.approx(slow_signed_ranks(differences))
    assert (ranked.n, ranked.n_nan, ranked.test, ranked.alpha) == (count, 0, "wilcoxon", 0.01)
    assert ranked.rejected == (oracle.pvalue < 0.01)
    student = rddt(q, p, RECTANGLE, test="t", alpha=0.2)
    wanted = stats.ttest_1samp(differences, 0, alternative="greater")
    assert (student.statistic, student.p_value) == pytest.approx((wanted.statistic, wanted.pvalue))
    assert student.effect_size == pytest.approx(np.mean(differences) / np.std(differences, ddof=1))
    assert student.rejected == (wanted.pvalue < 0.2)


@pytest.mark.parametrize("test", ["wilcoxon", "t"])
def test_rddt_is_one_sided(test: str) -> None:
    weak, strong = maps(20, 1), maps(20, 2) + 0.3
    fell, rose = rddt(strong, weak, RECTANGLE, test=test), rddt(weak, strong, RECTANGLE, test=test)  # type: ignore[arg-type]
    assert fell.rejected
    assert fell.effect_size > 0.5
    assert not rose.rejected
    assert rose.p_value > 0.99
    assert rose.effect_size == pytest.approx(-fell.effect_size)


@pytest.mark.parametrize("test", ["wilcoxon", "t"])
def test_rddt_at_the_edges(test: str) -> None:
    q, p = maps(5, 1) + 1, maps(5, 2)
    nothing = rddt(q[:0], p[:0], RECTANGLE, test=test)  # type: ignore[arg-type]
    assert (nothing.n, nothing.rejected, math.isnan(nothing.p_value)) == (0, False, True)
    one = rddt(q[:1], p[:1], RECTANGLE, test=test)  # type: ignore[arg-type]
    assert (one.n, one.rejected) == (1, False)
    assert one.p_value == 0.5 if test == "wilcoxon" else math.isnan(one.p_value)
    same = rddt(p, p, RECTANGLE, test=test)  # type: ignore[arg-type]
    assert (same.statistic, same.p_value, same.effect_size, same.n) == (0, 1, 0, 5)
    q[3] = 0
    assert (rddt(q, p, RECTANGLE, test=test).n, rddt(q, p, RECTANGLE, test=test).n_nan) == (4, 1)  # type: ignore[arg-type]
    constant = rddt(np.full_like(p, 0.5), np.full_like(p, 0.25), RECTANGLE, test=test)  # type: ignore[arg-type]
    assert constant.p_value == (0 if test == "t" else 1 / 32)


def test_det_and_the_zeros_that_the_authors_keep() -> None:
    mask = RECTANGLE.mask(SHAPE)
    p = maps(40)
    for outside, twin in (("mean", slow_contrast), ("zeros_kept", slow_contrast_zeros_kept)):
        values = [twin(one, mask) for one in p]
        result = det(p, mask, outside=outside)  # type: ignore[arg-type]
        assert result.p_value == pytest.approx(stats.wilcoxon(values, alternative="greater").pvalue, rel=1e-9)
        student = det(p, mask, test="t", outside=outside)  # type: ignore[arg-type]
        assert student.p_value == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater").pvalue)
    assert not det(p, mask).rejected  # noise has no region
    bright = p + 0.5 * mask
    assert det(bright, mask).rejected
    assert not det(bright, ~mask).rejected
    assert (inside_minus_outside(p, mask, "zeros_kept") > inside_minus_outside(p, mask)).all()


# Summaries


def test_a_summary() -> None:
    values = np.random.default_rng(0).exponential(size=400)
    summary = summarise(np.concatenate([values, [NAN, NAN, np.inf]]))
    assert (summary.mean, summary.median) == pytest.approx((values.mean(), np.median(values)))
    assert (summary.n, summary.n_nan, summary.n_infinite) == (400, 2, 1)
    oracle = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=1).confidence_interval
    assert summary.interval == pytest.approx((oracle.low, oracle.high), abs=0.02)
    narrow = summarise(values, level=0.5)
    assert summary.interval.low < narrow.interval.low < narrow.interval.high < summary.interval.high


def test_summaries_of_next_to_nothing() -> None:
    nothing = summarise(np.array([NAN]))
    assert math.isnan(nothing.mean)
    assert (nothing.n, nothing.n_nan) == (0, 1)
    one = summarise(np.array([0.25]))
    assert (one.mean, one.n) == (0.25, 1)
    assert all(math.isnan(end) for end in one.interval)
    assert summarise(np.array([0.1, 0.1])).interval == pytest.approx((0.1, 0.1))


# Errors say what came and what was expected


def test_errors() -> None:
    p, mask = maps(), RECTANGLE.mask(SHAPE)
    with pytest.raises(FairsalError, match=r"\(N, H, W\), got \(9, 14\)"):
        rrf(p[0], mask)
    with pytest.raises(FairsalError, match=r"one shape; got \(6, 9, 14\) and \(5, 9, 14\)"):
        adr(p, p[:5], mask)
    with pytest.raises(FairsalError, match=r"got \(14, 9\)"):
        rrf(p, mask.T)
    with pytest.raises(FairsalError, match=r"got \(5, 9, 14\)"):
        rrf(p, repeated(mask, 5))
    with pytest.raises(FairsalError, match="boolean mask, not one of float64"):
        rrf(p, mask.astype(float))  # type: ignore[arg-type]
    with pytest.raises(FairsalError, match=r"\.mask\(\(H, W\)\) method; got list"):
        rrf(p, [[True]])  # type: ignore[arg-type]
    with pytest.raises(FairsalError, match="outside the 14 x 9 image"):
        rrf(p, Roi(12, 0, 4, 2))
    with pytest.raises(FairsalError, match="magnitude"):
        rrf(p - 0.25, mask)
    with pytest.raises(FairsalError, match="did you mean 'wilcoxon'"):
        rddt(p, p, mask, test="wilcox")  # type: ignore[arg-type]
    with pytest.raises(FairsalError, match="between 0 and 1, not at 5"):
        rddt(p, p, mask, alpha=5)
    with pytest.raises(FairsalError, match="zeros_kept"):
        det(p, mask, outside="zeros")  # type: ignore[arg-type]
    with pytest.raises(FairsalError, match="per_image"):
        magnitude(p, "per image")  # type: ignore[arg-type]
    with pytest.raises(FairsalError, match=r"\(N, C, H, W\), got \(9, 14\)"):
        magnitude(p[0])
    with pytest.raises(FairsalError, match="one value an image"):
        summarise(p)


def test_a_summary_over_seeds() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(size=(4, 200)) + generator.normal(size=(4, 1)) * 2  # seeds differ more than images
    values[1, 5], values[:, 7], values[2, 9] = NAN, NAN, np.inf
    summary = summarise(values)
    finite = np.where(np.isfinite(values), values, NAN)
    assert summary.mean == pytest.approx(np.nanmean(finite))
    assert (summary.n, summary.n_nan, summary.n_infinite) == (199, 1, 0)
    # What four seeds differ by is all that matters here: Student's interval of their means, and next to nothing more.
    by_seed = stats.ttest_1samp(np.nanmean(finite, axis=1), 0).confidence_interval()
    assert summary.interval == pytest.approx((by_seed.low, by_seed.high), rel=0.01)
    of_one = summarise(values[0]).interval
    assert summary.interval.high - summary.interval.low > 2 * (of_one.high - of_one.low)
    assert summarise(values[:1]) == summarise(values[0])


def test_the_tests_take_values_too() -> None:
    q, p = maps(12, 1), maps(12, 2)
    assert one_sided_test(adr(q, p, RECTANGLE)) == rddt(q, p, RECTANGLE)
    assert one_sided_test(inside_minus_outside(p, RECTANGLE), "t", 0.2) == det(p, RECTANGLE, "t", 0.2)


# Rank correlation


@pytest.mark.parametrize("decimals", [1, 8])
def test_rank_correlation_against_scipy(decimals: int) -> None:
    q, p = maps(5, 1).round(decimals), maps(5, 2).round(decimals)  # one decimal: many ties
    p[1:3] += q[1:3]
    expected = [stats.spearmanr(one.ravel(), other.ravel()).statistic for one, other in zip(q, p, strict=True)]
    np.testing.assert_allclose(rank_correlation(q, p), expected, rtol=1e-10)
    np.testing.assert_allclose(rank_correlation(q, q**3), 1)


def test_rank_correlation_of_nothing() -> None:
    q, p = maps(3, 1), maps(3, 2)
    p[0], p[1, 0, 0] = 0.2, NAN
    assert np.isnan(rank_correlation(q, p)).tolist() == [True, True, False]
    with pytest.raises(FairsalError, match="have one shape"):
        rank_correlation(q, p[:2])


def test_rrf_against_quantus() -> None:
    """Quantus' RelevanceMassAccuracy (Arras et al. 2022) is RRF, also off the diagonal of maps that are not square."""
    quantus = pytest.importorskip("quantus", reason="the oracle comes with requirements-dev.txt")
    import torch

    p = maps(5, 1).astype(np.float32)
    masks = np.broadcast_to(RECTANGLE.mask(SHAPE), (5, 1, *SHAPE)).copy()
    metric = quantus.RelevanceMassAccuracy(abs=False, normalise=False, disable_warnings=True)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SHAPE[0] * SHAPE[1], 2))
    maps_of_channels = p[:, None]
    found = metric(
        model=model, x_batch=maps_of_channels, y_batch=np.zeros(5, int), a_batch=maps_of_channels, s_batch=masks
    )
    np.testing.assert_allclose(rrf(p, RECTANGLE), found, rtol=1e-5)
