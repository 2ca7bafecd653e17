"""Which pixels a scheme hides, against numpy one map at a time."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.schemes import check_quantile, select_pixels, selection


def slow_select(values: NDArray[np.floating], quantile: float) -> NDArray[np.bool_]:
    """Sort, interpolate linearly, compare: no library's quantile."""
    ordered = sorted(values.ravel().tolist())
    place = quantile * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    threshold = ordered[below] + (place - below) * (ordered[above] - ordered[below])
    return values > threshold


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.7, 0.93])
def test_against_sorting(quantile: float) -> None:
    maps = torch.rand(5, 12, 17, generator=torch.Generator().manual_seed(0))
    selected = select_pixels(maps, quantile)
    assert selected.dtype == torch.bool
    for one, chosen in zip(maps, selected, strict=True):
        np.testing.assert_array_equal(chosen.numpy(), slow_select(one.numpy().astype(float), quantile))
        assert int(chosen.sum()) == pytest.approx((1 - quantile) * 12 * 17, abs=1)


def test_every_map_has_its_own_threshold() -> None:
    maps = torch.stack([torch.rand(10, 10), 100 + torch.rand(10, 10)])
    assert select_pixels(maps, 0.7).sum(dim=(1, 2)).tolist() == [30, 30]


def test_ties_at_the_threshold_are_not_selected() -> None:
    values = torch.tensor([[0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 2.0, 3.0]])
    assert select_pixels(values, 0.5).tolist() == [[False] * 4, [False, False, True, True]]
    assert not select_pixels(torch.full((6, 6), 0.4), 0.7).any()


@pytest.mark.parametrize("shape", [(9, 9), (1, 9, 9), (7, 9, 9), (2, 3, 9, 9)])
def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]) -> None:
    maps = torch.rand(shape)
    whole = select_pixels(maps, 0.6)
    monkeypatch.setattr(selection, "_CHUNK", 2)
    assert whole.shape == shape
    assert torch.equal(select_pixels(maps, 0.6), whole)


@pytest.mark.parametrize("quantile", [0.0, 1.0, -1.0, 1.5, float("nan"), float("inf")])
def test_quantiles_outside(quantile: float) -> None:
    with pytest.raises(FairsalError, match="must lie between 0 and 1"):
        check_quantile(quantile)
    with pytest.raises(FairsalError, match="must lie between 0 and 1"):
        select_pixels(torch.rand(4, 4), quantile)


def test_a_good_quantile_comes_back() -> None:
    assert check_quantile(0.7) == 0.7
