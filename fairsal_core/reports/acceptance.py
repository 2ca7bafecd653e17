"""Acceptance thresholds: what a review demands of a variant, and whether the intervals say that it is met."""

import math
from typing import Literal, NamedTuple

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from fairsal_core.metrics import Interval

Verdict = Literal["pass", "fail", "too few images to say", "not measured"]
# Where criteria disagree, the first of these that occurs is the variant's verdict.
_ORDER: tuple[Verdict, ...] = ("fail", "not measured", "too few images to say", "pass")


class Acceptance(BaseModel):
    """The thresholds of a review; one that is None is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_at_most: float | None = Field(0.1, ge=0, le=1, description="size of the gap in accuracy")
    worst_cell_at_least: float | None = Field(0.6, ge=0, le=1, description="accuracy of every cell")
    rrf_at_most: float | None = Field(None, ge=0, le=1, description="relevance fraction of the region of interest")


class Judged(NamedTuple):
    """One criterion for one variant: the number, its 95% interval, the limit, and the verdict."""

    criterion: str
    value: float
    interval: Interval
    n: int
    limit: float
    verdict: Verdict


def at_most(interval: Interval, limit: float) -> Verdict:
    """Return "pass" if the whole interval lies at or below the limit, "fail" if all of it lies above.

    Examples
    --------
    >>> at_most(Interval(0.02, 0.08), 0.1), at_most(Interval(0.05, 0.2), 0.1), at_most(Interval(0.12, 0.2), 0.1)
    ('pass', 'too few images to say', 'fail')
    """
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "not measured"
    if interval.high <= limit:
        return "pass"
    return "fail" if interval.low > limit else "too few images to say"


def at_least(interval: Interval, limit: float) -> Verdict:
    """Return "pass" if the whole interval lies at or above the limit, "fail" if all of it lies below.

    Examples
    --------
    >>> at_least(Interval(0.7, 0.8), 0.6), at_least(Interval(0.5, 0.7), 0.6), at_least(Interval(0.1, 0.3), 0.6)
    ('pass', 'too few images to say', 'fail')
    """
    return at_most(Interval(-interval.high, -interval.low), -limit)


def size_interval(interval: Interval) -> Interval:
    """Return the interval of |x| for an interval of x.

    Examples
    --------
    >>> size_interval(Interval(-0.3, -0.1)), size_interval(Interval(-0.05, 0.2))
    (Interval(low=0.1, high=0.3), Interval(low=0.0, high=0.2))
    """
    low, high = sorted((abs(interval.low), abs(interval.high)))
    return Interval(0.0 if interval.low <= 0 <= interval.high else low, high)


def judge(results: pd.DataFrame, acceptance: Acceptance, rrf: Judged | None = None) -> list[Judged]:
    """Judge one variant under one evaluation by its rows of `results_table`, all seeds together.

    Parameters
    ----------
    results : DataFrame
        The pooled rows of that variant and evaluation.
    acceptance : Acceptance
        Which criteria there are, and their limits.
    rrf : Judged, optional
        What was measured of its relevance; see `judge_rrf`. Without it, an RRF that is asked for is "not measured".

    Notes
    -----
    The worst cell passes only if all four cells do, and fails if one does: the cell that looks worst need not be the
    one that is.
    """
    judged: list[Judged] = []
    if acceptance.gap_at_most is not None:
        row = results[results["metric"] == "gap"].iloc[0]
        interval = size_interval(Interval(float(row["low"]), float(row["high"])))
        verdict = at_most(interval, acceptance.gap_at_most)
        judged.append(
            Judged("|gap|", abs(float(row["value"])), interval, int(row["n"]), acceptance.gap_at_most, verdict)
        )
    if acceptance.worst_cell_at_least is not None:
        judged.append(_worst_cell(results, acceptance.worst_cell_at_least))
    if acceptance.rrf_at_most is not None:
        nan = float("nan")
        judged.append(rrf or Judged("RRF", nan, Interval(nan, nan), 0, acceptance.rrf_at_most, "not measured"))
    return judged


def judge_rrf(value: float, interval: Interval, n: int, limit: float) -> Judged:
    """Judge a mean RRF over n images."""
    return Judged("RRF", value, interval, n, limit, at_most(interval, limit))


def overall(judged: list[Judged]) -> Verdict:
    """Return one verdict for all criteria: "fail" if one fails, "pass" only if all pass.

    Examples
    --------
    >>> passed = Judged("|gap|", 0.05, Interval(0.02, 0.08), 400, 0.1, "pass")
    >>> overall([passed, passed._replace(verdict="too few images to say")])
    'too few images to say'
    """
    given = {item.verdict for item in judged}
    return next((verdict for verdict in _ORDER if verdict in given), "not measured")


def _worst_cell(results: pd.DataFrame, limit: float) -> Judged:
    accuracies = results[results["metric"] == "accuracy"]
    cells = accuracies[accuracies["group"].str.contains(" with | without ")].sort_values("value")
    intervals = [Interval(low, high) for low, high in zip(cells["low"], cells["high"], strict=True)]
    verdicts = [at_least(interval, limit) for interval in intervals]
    worst = cells.iloc[0]
    verdict = next(verdict for verdict in _ORDER if verdict in verdicts)
    name = f"worst cell ({worst['group']})"
    return Judged(name, float(worst["value"]), intervals[0], int(worst["n"]), limit, verdict)
