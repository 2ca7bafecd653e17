"""Which metrics of stored results tables and charts have, in which order, and what they are called there.

What a metric wrote that is no longer installed is shown too: last, under its own name.
"""

from typing import NamedTuple

import pandas as pd

from fairsal_core.metrics import METRICS, GroupMetric, SaliencyMetric, SaliencyTest, metrics_of, title_of
from fairsal_core.results.accuracy import EVALUATION_KEYS
from fairsal_core.results.attention import PEAK


class Column(NamedTuple):
    """A column of a table of variants: a metric for a group; None for whichever it is about, which is then named."""

    title: str
    metric: str
    group: str | None

    @property
    def sign(self) -> str:
        """What a number's format has before it: "+" where a sign says something."""
        return "+" if self.metric in METRICS and METRICS[self.metric].signed else ""

    def rows(self, results: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of results that it holds, one a variant and evaluation."""
        part = results[results["metric"] == self.metric]
        part = part if self.group is None else part[part["group"] == self.group]
        return part.drop_duplicates(list(EVALUATION_KEYS))


def columns_of(results: pd.DataFrame, metric: str) -> list[Column]:
    """Return a metric's columns in results as from `results_table`: one for each group that it is about."""
    groups = list(dict.fromkeys(results.loc[results["metric"] == metric, "group"]))
    entry, title = METRICS.get(metric), title_of(metric)
    if isinstance(entry, GroupMetric) and entry.about == "cell":
        return [Column(title, metric, None)] if groups else []
    return [Column(title if group == "all" else f"{title} ({group})", metric, group) for group in groups]


def shown_values(attention: pd.DataFrame) -> list[str]:
    """Return the metrics with a value and an interval that are shown of summaries as from `read_attention`."""
    registered = [metric.name for metric in metrics_of(SaliencyMetric) if metric.shown]
    return registered + [name for name in _unknown(attention) if not _is_test(attention, name)]


def shown_tests(attention: pd.DataFrame) -> list[str]:
    """Return the tests over faces that are shown of summaries as from `read_attention`."""
    registered = [test.name for test in metrics_of(SaliencyTest)]
    return registered + [name for name in _unknown(attention) if _is_test(attention, name)]


def _unknown(attention: pd.DataFrame) -> list[str]:
    return [name for name in dict.fromkeys(attention["metric"]) if name not in METRICS and name != PEAK]


def _is_test(attention: pd.DataFrame, name: str) -> bool:
    return bool(attention.loc[attention["metric"] == name, "p_value"].notna().any())
