"""How much of a saliency map lies in a region of interest, and whether that changed.

Maps are magnitudes (N, H, W), not negative, rows being y: `p` after, `q` before a change to the classifier. `RRF` and
`HRF` fall, `ADR`, `DIF` and `RDDT` rise when attention leaves the region.

One rule holds for all per-image values: a map that is zero everywhere (or holds a NaN or an infinity), and an image
whose region has no pixels, give NaN. Such a map explains nothing, and the formulas would count it as no attention at
all. NaN is counted in every summary and test, never silently dropped.

Source: Sztukiewicz et al. (2025), section 4, and the authors' code where it differs (named options).
"""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.metrics.intervals import LEVEL, Interval
from fairsal_core.metrics.mover import mean_interval

Maps = NDArray[np.floating[Any]]
Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Mode = Literal["per_image", "raw"]
Test = Literal["wilcoxon", "t"]

# 2 MB of float64, about what stays in cache. With smaller pieces threads spend their time handing over the interpreter:
# a quarter of this takes twice as long on two cores.
_CHUNK_VALUES = 1 << 18
_MOST_THREADS = 4
_CHUNKS_A_THREAD = 16  # fewer are done before a thread has started
_PIECE = 8192  # of a dot product; OpenBLAS keeps up to 10,000 in one thread


class HasMask(Protocol):
    """A region that draws itself, such as `fairsal_core.faces.Roi`."""

    def mask(self, shape: tuple[int, int], /) -> Mask:
        """Return the boolean mask of shape (height, width), rows being y."""


Region = Mask | HasMask
"""A mask (H, W) for all images or (N, H, W) for each its own, or anything with `.mask((H, W))`."""


@dataclass(frozen=True)
class RegionTest:
    """A one-sided paired test over images.

    Attributes
    ----------
    statistic : float
        Wilcoxon's sum of the positive differences' ranks, or Student's t; nan where it is undefined.
    p_value : float
        Of a difference above zero; nan where the test is undefined (no image, or t with one).
    effect_size : float
        Wilcoxon: matched-pairs rank-biserial correlation (W+ - W-) / (W+ + W-), in [-1, 1]. t: Cohen's d_z, mean over
        standard deviation of the differences. Positive in the direction that is tested.
    n : int
        Images in the test.
    rejected : bool
        Whether p_value < alpha: the null hypothesis, no difference, is rejected.
    test : "wilcoxon" or "t"
    alpha : float
        Level of the test.
    n_nan : int
        Images left out, since they have no value.
    """

    statistic: float
    p_value: float
    effect_size: float
    n: int
    rejected: bool
    test: Test
    alpha: float
    n_nan: int


@dataclass(frozen=True)
class Summary:
    """Values of many images in a few numbers.

    Attributes
    ----------
    mean, median : float
        Over the finite values; nan without any.
    interval : Interval
        Interval of the mean (`mean_interval`); (nan, nan) for fewer than two values, whose spread is unknown.
    n : int
        Finite values.
    n_nan, n_infinite : int
        Values left out: images without a value, and ratios to nothing (`mrr` with no relevance outside).
    """

    mean: float
    median: float
    interval: Interval
    n: int
    n_nan: int
    n_infinite: int


def magnitude(relevance: Maps, mode: Mode = "per_image") -> Maps:
    """Turn signed relevance into magnitudes.

    Parameters
    ----------
    relevance : array, (N, H, W) or (N, C, H, W)
        Signed; channels are summed first.
    mode : "per_image" or "raw"
        per_image: |r| / max |r| / 2, in [0, 0.5]: the authors' code, which maps relevance to [0, 1] with 0 at 0.5 and
        takes the distance from 0.5. raw: |r|, which alone shows a change in strength.

    Returns
    -------
    array, (N, H, W)
        Not negative, float32 for float32 and float64 otherwise. An all-zero map stays zero; the metrics call it NaN.

    Raises
    ------
    FairsalError
        If shape or mode do not fit.

    Examples
    --------
    >>> magnitude(np.array([[[1.0, -4.0], [0.0, 2.0]]])).tolist()
    [[[0.125, 0.5], [0.0, 0.25]]]
    """
    if mode not in get_args(Mode):
        raise unknown_name("magnitude mode", mode, get_args(Mode))
    relevance = np.asarray(relevance)
    if relevance.ndim not in (3, 4):
        raise FairsalError(f"Expected relevance of shape (N, H, W) or (N, C, H, W), got {relevance.shape}.")
    if relevance.dtype != np.float32:
        relevance = relevance.astype(np.float64)
    result: Maps = np.empty_like(relevance, shape=(len(relevance), *relevance.shape[-2:]), order="C")

    def fill(span: slice) -> None:
        for chunk in _chunks(result.shape, span):
            part = relevance[chunk]
            np.abs(part.sum(axis=1) if part.ndim == 4 else part, out=result[chunk])
            if mode == "per_image":
                _scale_to_half(result[chunk])

    _on_all_cores(fill, result.shape)
    return result


def _scale_to_half(magnitudes: Maps) -> None:
    """Divide each map (n, H, W) by twice its largest value, in place; a map of zeros stays."""
    peak = magnitudes.max(axis=(1, 2), keepdims=True, initial=0)
    with np.errstate(invalid="ignore"):  # an infinity divided by itself: the map is NaN, and so are its metrics
        magnitudes /= np.where(peak == 0, 1, 2 * peak)


def rrf(p: Maps, roi: Region) -> Values:
    """Return the relevance fraction of the region, sum_R p / sum p, of each image: (N, H, W) -> (N,), in [0, 1].

    Parameters
    ----------
    p : array, (N, H, W)
        Magnitudes.
    roi : mask (H, W) or (N, H, W), or anything with `.mask((H, W))`
        Region of interest.

    Raises
    ------
    FairsalError
        If shapes do not fit, the mask is not boolean or a magnitude is negative.

    Examples
    --------
    >>> rrf(np.array([[[3.0, 1.0]]]), np.array([[True, False]])).tolist()
    [0.75]
    """
    return per_image(_fraction, roi, p)


def hrf(p: Maps, roi: Region, threshold: float = 0.05) -> Values:
    """Return the share of the region's pixels above a threshold, mean_R [p > threshold], of each image.

    Arguments and errors as for `rrf`. The threshold is meant for per-image magnitudes, whose largest value is 0.5.

    Examples
    --------
    >>> hrf(np.array([[[0.3, 0.01, 0.5]]]), np.array([[True, True, False]])).tolist()
    [0.5]
    """
    return per_image(lambda inside, maps: _mean(maps > threshold, inside), roi, p, within=True)


def mrr(p: Maps, roi: Region) -> Values:
    """Return the mean magnitude inside over the mean outside, mean_R p / mean_notR p, of each image.

    Arguments and errors as for `rrf`. NaN where the region is the whole image; infinite where nothing lies outside.

    Examples
    --------
    >>> mrr(np.array([[[3.0, 1.0, 2.0]]]), np.array([[True, False, False]])).tolist()
    [2.0]
    """
    return per_image(lambda inside, maps: _mean(maps, inside) / _mean(maps, 1 - inside), roi, p)


def adr(q: Maps, p: Maps, roi: Region) -> Values:
    """Return the average difference in the region, mean_R (q - p), of each image; positive where relevance fell.

    Parameters
    ----------
    q, p : array, (N, H, W)
        Magnitudes before and after.
    roi : mask (H, W) or (N, H, W), or anything with `.mask((H, W))`
        Region of interest.

    Raises
    ------
    FairsalError
        If shapes do not fit, the mask is not boolean or a magnitude is negative.

    Examples
    --------
    >>> adr(np.array([[[3.0, 1.0]]]), np.array([[[2.0, 5.0]]]), np.array([[True, False]])).tolist()
    [1.0]
    """
    return per_image(lambda inside, before, after: _mean(before - after, inside), roi, q, p, within=True)


def dif(q: Maps, p: Maps, roi: Region, epsilon: float = 1e-3) -> Values:
    """Return the share of the region's pixels that lost relevance, mean_R [q - p > epsilon], of each image.

    Arguments and errors as for `adr`.

    Examples
    --------
    >>> dif(np.array([[[3.0, 1.0]]]), np.array([[[2.0, 5.0]]]), np.array([[True, True]])).tolist()
    [0.5]
    """
    return per_image(lambda inside, before, after: _mean(before - after > epsilon, inside), roi, q, p, within=True)


def rrf_change(q: Maps, p: Maps, roi: Region) -> Values:
    """Return by how much the relevance fraction of the region changed, rrf(p) - rrf(q), of each image.

    Arguments and errors as for `adr`.

    Examples
    --------
    >>> rrf_change(np.array([[[3.0, 1.0]]]), np.array([[[1.0, 1.0]]]), np.array([[True, False]])).tolist()
    [-0.25]
    """
    return rrf(p, roi) - rrf(q, roi)


def rddt(q: Maps, p: Maps, roi: Region, test: Test = "wilcoxon", alpha: float = 0.01) -> RegionTest:
    """Test, over images, that the mean in the region fell from q to p.

    Parameters
    ----------
    q, p, roi
        As for `adr`; image i of `q` and of `p` are the same face.
    test : "wilcoxon" or "t"
        Signed-rank test of the per-image `adr` (the paper's words; images without any change are left out of the
        ranks, Wilcoxon's own rule), or one-sample t test (the authors' code).
    alpha : float
        Level, in (0, 1); the authors' 0.01.

    Returns
    -------
    RegionTest
        One-sided: a small p_value says that the mean fell. Identical maps: p_value 1, effect 0.

    Raises
    ------
    FairsalError
        As for `adr`, or if test or alpha do not fit.
    """
    return one_sided_test(adr(q, p, roi), test, alpha)


def det(
    p: Maps, roi: Region, test: Test = "wilcoxon", alpha: float = 0.01, outside: Literal["mean", "zeros_kept"] = "mean"
) -> RegionTest:
    """Test, over images, that the mean inside the region is above the mean outside.

    Parameters
    ----------
    p, roi
        As for `rrf`.
    test, alpha
        As for `rddt`.
    outside : "mean" or "zeros_kept"
        See `inside_minus_outside`.

    Returns
    -------
    RegionTest
        One-sided: a small p_value says that the region draws more attention than the rest.

    Raises
    ------
    FairsalError
        As for `rrf`, or if test, alpha or outside do not fit.

    Notes
    -----
    The paper describes an unpaired rank test of the pixels of one image. Neighbouring pixels are not independent, so
    its p-value means little; the authors' code tests the per-image difference of means over images, as is done here.
    """
    return one_sided_test(inside_minus_outside(p, roi, outside), test, alpha)


def inside_minus_outside(p: Maps, roi: Region, outside: Literal["mean", "zeros_kept"] = "mean") -> Values:
    """Return the mean inside minus the mean outside of each image: the values that `det` tests.

    Parameters
    ----------
    p, roi
        As for `rrf`.
    outside : "mean" or "zeros_kept"
        mean: over the pixels outside. zeros_kept: the authors' code sets the region to zero and averages over the
        whole image, so its pixels are counted as outside zeros, which makes the difference larger.

    Raises
    ------
    FairsalError
        As for `rrf`, or if outside does not fit.

    Examples
    --------
    >>> p, roi = np.array([[[3.0, 1.0]]]), np.array([[True, False]])
    >>> inside_minus_outside(p, roi).tolist(), inside_minus_outside(p, roi, outside="zeros_kept").tolist()
    ([2.0], [2.5])
    """
    if outside not in ("mean", "zeros_kept"):
        raise unknown_name("outside mean", outside, ("mean", "zeros_kept"))
    if outside == "mean":
        return per_image(lambda inside, maps: _mean(maps, inside) - _mean(maps, 1 - inside), roi, p)
    return per_image(lambda inside, maps: _mean(maps, inside) - _total(maps, 1 - inside) / maps.shape[1], roi, p)


def summarise(values: Values, level: float = LEVEL) -> Summary:
    """Return mean, median and an interval of per-image values, and what was left out.

    Parameters
    ----------
    values : array, (N,) or (S, N)
        Of a metric, with S seeds' classifiers on the same images; NaN and infinities are counted and left out.
    level : float
        Of the interval, in (0, 1).

    Raises
    ------
    FairsalError
        If values are not one number an image.

    Examples
    --------
    >>> summary = summarise(np.array([0.2, 0.4, np.nan]))
    >>> round(summary.mean, 3), summary.n, summary.n_nan
    (0.3, 2, 1)
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise FairsalError(f"Expected one value an image, shape (N,), or (S, N) with seeds; got {values.shape}.")
    by_seed = np.atleast_2d(values)
    finite = np.isfinite(by_seed)
    usable = finite.any(axis=0)
    n = int(usable.sum())
    n_infinite = int(np.isinf(by_seed[:, ~usable]).any(axis=0).sum())
    n_nan = int((~usable).sum()) - n_infinite
    if n == 0:
        return Summary(math.nan, math.nan, Interval(math.nan, math.nan), 0, n_nan, n_infinite)
    known, finite = np.where(finite, by_seed, 0.0)[:, usable], finite[:, usable]
    interval = mean_interval(np.where(finite, known, math.nan), level)
    per_image = known.sum(axis=0) / finite.sum(axis=0)
    mean = float(known.sum() / finite.sum())
    return Summary(mean, float(np.median(per_image)), interval, n, n_nan, n_infinite)


def per_image(measure: Callable[..., Values], roi: Region, *maps: Maps, within: bool = False) -> Values:
    """Apply `measure(inside, *maps)` to flat float64 chunks (n, P), and put NaN where there is nothing to measure.

    What every metric here is made with: it checks the maps, draws the region, and goes through them on all cores.

    Parameters
    ----------
    measure : callable
        (inside, *maps) -> (n,). `inside` is 1.0 in the region and 0.0 outside, (1 or n, P). P are all pixels or, for a
        measure that looks `within` the region only, those of the rectangle around it.
    roi : mask (H, W) or (N, H, W), or anything with `.mask((H, W))`
        Region of interest.
    *maps : array, (N, H, W)
        Magnitudes, all of one shape.
    within : bool
        Whether the measure looks at no pixel outside the region.

    Raises
    ------
    FairsalError
        As for `rrf`.
    """
    arrays = [_checked(values) for values in maps]
    shape = arrays[0].shape
    for other in arrays[1:]:
        if other.shape != shape:
            raise FairsalError(f"Maps before and after have one shape; got {shape} and {other.shape}.")
    masks = _masks(roi, shape)
    box = _around(masks) if within else np.s_[:, :]
    cut = masks[:, *box]
    shared = cut.astype(np.float64).reshape(1, -1) if len(cut) == 1 else None
    result = np.full(shape[0], np.nan)

    def fill(span: slice) -> None:
        # Made once and filled again for every chunk: fresh memory costs more than the sums do.
        buffers = [np.empty((_rows_at_once(shape), *cut.shape[1:])) for _ in arrays]
        for chunk in _chunks(shape, span):
            parts = [values[chunk] for values in arrays]
            n = len(parts[0])
            for buffer, part in zip(buffers, parts, strict=True):
                np.copyto(buffer[:n], part[:, *box])
            inside = cut[chunk].astype(np.float64).reshape(n, -1) if shared is None else shared
            usable = inside.any(axis=1) & np.logical_and.reduce([_informative(part) for part in parts])
            flat = [buffer[:n].reshape(n, -1) for buffer in buffers]
            with np.errstate(divide="ignore", invalid="ignore"):  # what cannot be measured becomes NaN, by rule
                result[chunk] = np.where(usable, measure(inside, *flat), np.nan)

    _on_all_cores(fill, shape)
    return result


def _on_all_cores(fill: Callable[[slice], None], shape: tuple[int, ...]) -> None:
    """Call `fill` on spans of the images that together are all; numpy lets other threads run while it works."""
    threads = min(os.cpu_count() or 1, _MOST_THREADS, shape[0] // (_CHUNKS_A_THREAD * _rows_at_once(shape)))
    if threads < 2:
        fill(slice(0, shape[0]))
        return
    ends = [shape[0] * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, map(slice, ends[:-1], ends[1:])))


def _rows_at_once(shape: tuple[int, ...]) -> int:
    return max(1, min(shape[0], _CHUNK_VALUES // max(1, shape[1] * shape[2])))


def _chunks(shape: tuple[int, ...], span: slice) -> Iterator[slice]:
    """Return slices of a few images each, within a span of maps of this shape (N, H, W)."""
    rows = _rows_at_once(shape)
    for start in range(span.start, span.stop, rows):
        yield slice(start, min(start + rows, span.stop))


def _around(masks: Mask) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest rectangle around all masks (M, H, W)."""
    together: Mask = np.any(masks, axis=0)
    sides = [np.flatnonzero(np.any(together, axis=axis)) for axis in (1, 0)]
    rows, columns = (slice(int(side[0]), int(side[-1]) + 1) if len(side) else slice(0, 0) for side in sides)
    return rows, columns


def _checked(maps: Maps) -> Maps:
    maps = np.asarray(maps)
    if maps.ndim != 3:
        raise FairsalError(f"Expected maps of shape (N, H, W), got {maps.shape}.")
    return maps


def _masks(roi: Region, shape: tuple[int, ...]) -> Mask:
    """Return the masks (1 or N, H, W) of a region."""
    mask = roi if isinstance(roi, np.ndarray) else _drawn(roi, (shape[1], shape[2]))
    if mask.dtype != np.bool_:
        raise FairsalError(f"A region of interest is a boolean mask, not one of {mask.dtype}.")
    if mask.shape not in (shape, shape[1:]):
        raise FairsalError(
            f"A region for maps of shape {shape} has the shape {shape[1:]}, or {shape} with one mask an image; "
            f"got {mask.shape}."
        )
    return mask if mask.ndim == 3 else mask[None]


def _drawn(roi: HasMask, shape: tuple[int, int]) -> Mask:
    if not callable(getattr(roi, "mask", None)):
        raise FairsalError(
            f"A region of interest is a boolean mask or has a .mask((H, W)) method; got {type(roi).__name__}."
        )
    return np.asarray(roi.mask(shape))


def _informative(maps: Maps) -> Mask:
    """Return which maps (n, H, W) are neither zero everywhere nor hold anything but numbers."""
    lowest = maps.min(initial=0)
    if lowest < 0:
        raise FairsalError(
            f"Magnitudes are not negative, but these reach {lowest:g}; pass magnitude(relevance), not signed relevance."
        )
    peak = maps.max(axis=(1, 2), initial=0)
    informative: Mask = np.isfinite(peak) & (peak > 0)
    return informative


def _total(values: Maps | Mask, weights: Values) -> Values:
    """Sum flat values (n, P) with weights (1 or n, P), in double precision."""
    numbers = values.astype(np.float64, copy=False)
    # In pieces: OpenBLAS starts threads for longer ones, which on a busy machine took 600 times as long; and einsum,
    # which has none, takes four times as long as one thread of OpenBLAS.
    total: Values = np.zeros(len(numbers))
    for start in range(0, numbers.shape[1], _PIECE):
        piece = np.s_[:, start : start + _PIECE]
        total += np.vecdot(numbers[piece], weights[piece])
    return total


def _mean(values: Maps | Mask, inside: Values) -> Values:
    mean: Values = _total(values, inside) / inside.sum(axis=1)
    return mean


def _fraction(inside: Values, maps: Values) -> Values:
    # Over inside + outside, not over the plain sum: rounding then cannot push the fraction above 1.
    within = _total(maps, inside)
    fraction: Values = within / (within + _total(maps, 1 - inside))
    return fraction


def one_sided_test(differences: Values, test: Test = "wilcoxon", alpha: float = 0.01) -> RegionTest:
    """Test that differences (N,) lie above zero; NaN are left out and counted.

    What `rddt` does with `adr`'s values and `det` with `inside_minus_outside`'s, for values that are there already.
    """
    if test not in get_args(Test):
        raise unknown_name("test", test, get_args(Test))
    if not 0 < alpha < 1:
        raise FairsalError(f"The level of a test lies between 0 and 1, not at {alpha:g}.")
    known = differences[~np.isnan(differences)]
    statistic, p_value, effect = _signed_rank(known) if test == "wilcoxon" else _student(known)
    return RegionTest(
        statistic, p_value, effect, len(known), p_value < alpha, test, alpha, len(differences) - len(known)
    )


def _signed_rank(differences: Values) -> tuple[float, float, float]:
    if len(differences) == 0:
        return math.nan, math.nan, math.nan
    changed = int(np.count_nonzero(differences))
    if changed == 0:
        return 0.0, 1.0, 0.0  # no image changed: every sign pattern is as extreme
    from scipy import stats  # takes a second to import, and a page is waiting

    result = stats.wilcoxon(differences, alternative="greater")
    ranks = changed * (changed + 1) / 2
    return float(result.statistic), float(result.pvalue), float(2 * result.statistic / ranks - 1)


def _student(differences: Values) -> tuple[float, float, float]:
    n = len(differences)
    if n < 2:
        return math.nan, math.nan, math.nan
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if mean == 0 and spread == 0:
        return 0.0, 1.0, 0.0  # identical maps, as in the signed-rank test
    # By hand, not stats.ttest_1samp: that one warns where all differences are (nearly) the same.
    effect = mean / spread if spread else math.copysign(math.inf, mean)
    statistic = effect * math.sqrt(n)
    from scipy import stats

    return statistic, float(stats.t.sf(statistic, n - 1)), effect


def rank_correlation(q: Maps, p: Maps) -> Values:
    """Return Spearman's rank correlation of the pixels of two maps, for each image: (N, H, W) -> (N,), in [-1, 1].

    1: the same order of pixels; about 0: nothing in common. NaN where a map is constant or holds a NaN or an infinity.

    References
    ----------
    Adebayo et al. (2018), *Sanity Checks for Saliency Maps*: maps should change when the weights are randomised.

    Raises
    ------
    FairsalError
        If shapes do not fit.

    Examples
    --------
    >>> rank_correlation(np.array([[[1.0, 2.0, 9.0]]]), np.array([[[3.0, 2.0, 1.0]]])).tolist()
    [-1.0]
    """
    first, second = _checked(q), _checked(p)
    if first.shape != second.shape:
        raise FairsalError(f"Maps to compare have one shape; got {first.shape} and {second.shape}.")
    return np.array([_spearman(one, other) for one, other in zip(first, second, strict=True)], dtype=np.float64)


def _spearman(first: Maps, second: Maps) -> float:
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return math.nan
    from scipy import stats

    one, other = (stats.rankdata(maps, axis=None) - (maps.size + 1) / 2 for maps in (first, second))
    scale = math.sqrt(float((one**2).sum()) * float((other**2).sum()))
    return float((one * other).sum()) / scale if scale else math.nan
