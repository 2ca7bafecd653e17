"""Acceptance thresholds: what a review demands of a variant, and whether the intervals say that it is met."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from fairsal_core.metrics import (
    IMPACT_RATIO,
    METRICS,
    WORST_CELL,
    GroupMetric,
    Interval,
    Metric,
    SaliencyMetric,
    in_order,
    size_of,
)
from fairsal_core.results import FEWEST, fewest_faces, says_the_same_of_all

if TYPE_CHECKING:
    from fairsal_core.scan import KeptGroups

TOO_FEW: Literal["too few images to say"] = "too few images to say"
Verdict = Literal["pass", "fail", "too few images to say", "not measured"]
# Where criteria disagree, the first of these that occurs is the variant's verdict.
_ORDER: tuple[Verdict, ...] = ("fail", "not measured", "too few images to say", "pass")


# How a review's thresholds were kept before any metric could have one; what a file left out had its default.
_FIELDS = {"gap_at_most": "gap", "worst_cell_at_least": "worst_cell", "rrf_at_most": "rrf"}
_FIELD_DEFAULTS = {"gap_at_most": 0.1, "worst_cell_at_least": 0.6}


def offered_criteria() -> list[Metric]:
    """Return the metrics that a review can set a limit for."""
    return [metric for metric in METRICS.values() if metric.criterion]


def _usual_limits() -> dict[str, float]:
    return {
        metric.name: metric.criterion.limit
        for metric in METRICS.values()
        if metric.criterion and metric.criterion.limit is not None
    }


class Acceptance(BaseModel):
    """The thresholds of a review: a limit for each metric that something is demanded of.

    Whether a limit is an upper or a lower one, and whether it is of a value or of its size, the metric says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: Mapping[str, FiniteFloat] = Field(default_factory=_usual_limits, description="metric to limit")

    @model_validator(mode="before")
    @classmethod
    def _from_fields(cls, content: Any) -> Any:
        if not isinstance(content, dict) or not content or not content.keys() <= _FIELDS.keys():
            return content
        limits = {**_FIELD_DEFAULTS, **content}
        return {"limits": {_FIELDS[name]: limit for name, limit in limits.items() if limit is not None}}

    @field_validator("limits")
    @classmethod
    def _within_the_metric(cls, limits: Mapping[str, float]) -> Mapping[str, float]:
        for name, limit in limits.items():
            low, high = METRICS[name].limits if name in METRICS else (-math.inf, math.inf)
            if not low <= limit <= high:
                raise ValueError(f"A limit of '{name}' lies between {low:g} and {high:g}")
        return {name: limits[name] for name in in_order(limits)}


class Judged(NamedTuple):
    """One criterion for one variant: the number, its 95% interval, the limit, and the verdict.

    `bound` says "at most" or "at least", or nothing of a metric that is not installed; `about` is what is named with it, such
    as the worst cell.
    """

    title: str
    value: float
    interval: Interval
    n: int
    limit: float
    verdict: Verdict
    bound: str = "at most"
    about: str = ""

    @property
    def criterion(self) -> str:
        """What is judged, e.g. "|gap|" or "worst cell (men with Blond_Hair)"."""
        return f"{self.title} ({self.about})" if self.about else self.title


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


def judge(results: pd.DataFrame, acceptance: Acceptance, attention: pd.DataFrame | None = None) -> list[Judged]:
    """Judge one variant under one evaluation, all seeds together.

    Parameters
    ----------
    results : DataFrame
        The pooled rows of that variant and evaluation in `results_table`.
    acceptance : Acceptance
        Which criteria there are, and their limits.
    attention : DataFrame, optional
        The variant's pooled rows in `read_attention`; the first explainer's values over all explained faces, which are
        clean, are what counts. What is asked for and not among them is "not measured", as is a metric that is not installed.

    Notes
    -----
    The worst cell passes only if all cells do, and fails if one does: the cell that looks worst need not be the
    one that is. No verdict rests on a cell of fewer than ten faces, and a classifier that says the same of every face
    passes nothing.
    """
    judged = {name: _judged(name, limit, results, attention) for name, limit in acceptance.limits.items()}
    few, same = 0 < fewest_faces(results) < FEWEST, says_the_same_of_all(results)
    return [
        _cautious(one, few, same)
        if isinstance(METRICS.get(name), GroupMetric)
        else _cautious(one, one.n < FEWEST, False)
        for name, one in judged.items()
    ]


def judge_groups(kept: "KeptGroups", acceptance: Acceptance) -> list[Judged]:
    """Judge what is known of one variant by chosen groups, any number of them, by the limits that speak of groups.

    Parameters
    ----------
    kept : KeptGroups
        Rates of its groups.
    acceptance : Acceptance
        The limit of the worst cell holds for every group with the target, and without; that of the impact ratio for every group
        beside the most selected. Groups too small to count are left out, as everywhere.

    Returns
    -------
    list of Judged
        None where no such limit is asked for.
    """
    rated = kept.table
    tables = {WORST_CELL: kept.cells_table, IMPACT_RATIO: rated[rated["metric"] == IMPACT_RATIO]}
    by = " and ".join(kept.protected)
    return [
        _judged_by_group(METRICS[name], acceptance.limits[name], table[table["counted"].eq(True)], by)
        for name, table in tables.items()
        if name in acceptance.limits and name in METRICS
    ]


def _judged_by_group(metric: Metric, limit: float, rows: pd.DataFrame, by: str) -> Judged:
    rows = rows.dropna(subset=["value"]).sort_values("value", kind="stable")
    judged = Judged(
        f"{metric.title} by {by}", math.nan, Interval(math.nan, math.nan), 0, limit, TOO_FEW, metric.bound or "at least"
    )
    if rows.empty:
        return judged
    intervals = [Interval(float(low), float(high)) for low, high in zip(rows["low"], rows["high"], strict=True)]
    verdict = _first([at_least(interval, limit) for interval in intervals])
    worst = rows.iloc[0]
    return judged._replace(
        value=float(worst["value"]),
        interval=intervals[0],
        n=int(worst["n"]),
        verdict=TOO_FEW if verdict == "not measured" else verdict,
        about=str(worst["group"]),
    )


def _cautious(one: Judged, few: bool, same: bool) -> Judged:
    if (few and one.verdict in ("pass", "fail")) or (same and one.verdict == "pass"):
        return one._replace(verdict=TOO_FEW)
    return one


def _judged(name: str, limit: float, results: pd.DataFrame, attention: pd.DataFrame | None) -> Judged:
    metric = METRICS.get(name)
    unmeasured = Judged(name, math.nan, Interval(math.nan, math.nan), 0, limit, "not measured", "")
    if metric is None or metric.bound is None:
        return unmeasured
    title = f"|{metric.title}|" if metric.of_size else metric.title
    rows = _judged_rows(metric, results, attention)
    if rows.empty:
        return unmeasured._replace(title=title, bound=metric.bound)
    rows = rows.sort_values("value", ascending=metric.better == "higher", kind="stable")
    intervals = [_interval_of(metric, row) for row in rows.to_dict("records")]
    value = float(rows["value"].iloc[0])
    value = abs(value) if metric.of_size else value
    keeps = at_least if metric.bound == "at least" else at_most
    verdict = _first([keeps(interval, limit) for interval in intervals])
    if verdict == "not measured":  # it was, and came to nothing: of no face, or of one, whose spread is unknown
        verdict = TOO_FEW
    named = str(rows["group"].iloc[0]) if isinstance(metric, GroupMetric) and metric.about == "cell" else ""
    return Judged(title, value, intervals[0], int(rows["n"].iloc[0]), limit, verdict, metric.bound, named)


def limited_rows(metric: Metric, results: pd.DataFrame) -> list[tuple[dict[Any, Any], Interval]]:
    """Return the rows of a variant under one evaluation that keep a metric's limit or do not, with what is compared with it."""
    rows = _judged_rows(metric, results, None)
    return [(row, _interval_of(metric, row)) for row in rows.to_dict("records")]


def _interval_of(metric: Metric, row: Mapping[Any, Any]) -> Interval:
    interval = Interval(float(row["low"]), float(row["high"]))
    return size_of(interval) if metric.of_size else interval


def _judged_rows(metric: Metric, results: pd.DataFrame, attention: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows that keep a limit or do not: one, or those of the cells."""
    if isinstance(metric, SaliencyMetric):
        if attention is None or attention.empty:
            return pd.DataFrame()
        return attention[attention["metric"].eq(metric.name) & attention["group"].eq("all")].head(1)
    if metric.criterion and metric.criterion.of_each_cell:
        each = results[results["metric"] == metric.criterion.of_each_cell]
        return each[each["group"].str.contains(" with | without ")]
    rows = results[results["metric"] == metric.name]
    several = isinstance(metric, GroupMetric) and metric.about == "groups"
    return rows[rows["group"] == "all"] if several else rows.head(1)


def overall(judged: list[Judged]) -> Verdict:
    """Return one verdict for all criteria: "fail" if one fails, "pass" only if all pass.

    Examples
    --------
    >>> passed = Judged("|gap|", 0.05, Interval(0.02, 0.08), 400, 0.1, "pass")
    >>> overall([passed, passed._replace(verdict="too few images to say")])
    'too few images to say'
    """
    return _first([item.verdict for item in judged])


def _first(verdicts: list[Verdict]) -> Verdict:
    return next((verdict for verdict in _ORDER if verdict in verdicts), "not measured")
