"""Metrics of nobody's, as an installed package would give them: of each kind one, with all that can be said of it."""

import numpy as np
from numpy.typing import NDArray

from fairsal_core.metrics import (
    ALL_CELLS,
    OTHER_CELLS,
    Axis,
    Criterion,
    Decisions,
    Estimate,
    GroupMetric,
    Interval,
    SaliencyMetric,
    SaliencyTest,
    contrast_interval,
)


def peak_inside(after: np.ndarray, roi: object) -> NDArray[np.float64]:
    """Return whether the most relevant pixel of each map lies in the region."""
    height, width = after.shape[1:]
    mask = np.broadcast_to(roi.mask((height, width)), after.shape).reshape(len(after), -1)  # type: ignore[attr-defined]
    return np.take_along_axis(mask, after.reshape(len(after), -1).argmax(axis=1)[:, None], axis=1)[:, 0].astype(float)


def mean_fall(before: np.ndarray, after: np.ndarray, roi: object) -> NDArray[np.float64]:
    """Return by how much the mean of each map fell, wherever the region lies."""
    return np.asarray((before - after).mean(axis=(1, 2)), dtype=float)


def false_alarms(decisions: Decisions) -> Estimate:
    """Return how often faces without the target attribute are said to have it."""
    value = float(decisions.yes[:, ~decisions.target].mean())
    weights = np.where(np.isin(ALL_CELLS, OTHER_CELLS), decisions.sizes, 0) / decisions.sizes[2:].sum()
    interval = contrast_interval(decisions.yes, decisions.cells, weights)
    return Estimate("", OTHER_CELLS, value, interval, int(decisions.sizes[2:].sum()))


def fewer_alarms(before: np.ndarray, after: np.ndarray, cells: NDArray[np.int64]) -> Estimate:
    """Return the change of that rate, without an interval worth the name."""
    value = false_alarms(Decisions(after, cells)).value - false_alarms(Decisions(before, cells)).value
    return Estimate("", OTHER_CELLS, value, Interval(value - 0.1, value + 0.1), int((cells > 1).sum()))


PEAK_INSIDE = SaliencyMetric(
    "peak_inside",
    "peak inside",
    "How often the most relevant pixel lies in the region.",
    peak_inside,
    better="lower",
    span=(0.0, 1.0),
    latex=r"\left[\operatorname{argmax} p \in R\right]",
    source="nobody 2026",
    criterion=Criterion("Share of faces whose most relevant pixel lies in the region."),
)
MEAN_FALL = SaliencyMetric(
    "mean_fall",
    "mean fall",
    "By how much the mean magnitude fell.",
    mean_fall,
    needs_before=True,
    better="higher",
    axis=Axis("mean fall", "mean fall of magnitude"),
)
FALL_TEST = SaliencyTest(
    "fall_test", "fall test", "A test that the mean fell.", "mean_fall", "did the mean fall?", better="higher"
)
FALSE_ALARMS = GroupMetric(
    "false_alarms",
    "false alarms",
    "How often faces without the target attribute are said to have it.",
    false_alarms,
    change=fewer_alarms,
    better="lower",
    span=(0.0, 1.0),
    latex=r"\Pr[\hat y \mid \bar t]",
    source="nobody 2026",
    criterion=Criterion("Share of the faces without the target attribute that are said to have it.", 0.9),
    axis=Axis("false alarms", "change in false alarms"),
)
FOREIGN = (PEAK_INSIDE, MEAN_FALL, FALL_TEST, FALSE_ALARMS)
