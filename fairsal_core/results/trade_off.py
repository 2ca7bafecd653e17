"""Both papers' point needs two changes: of fairness, here for every variant, and of attention."""

from collections.abc import Callable

import pandas as pd

from fairsal_core.metrics import GroupMetric, metrics_of
from fairsal_core.results.accuracy import CLEAN, judged

FAIRNESS_CHANGE_COLUMNS = ("variant", "metric", "value", "low", "high", "n")


def fairness_change_table(
    predictions: pd.DataFrame, original_of: Callable[[str], str], evaluation: str = CLEAN, treated_by: str = ""
) -> pd.DataFrame:
    """Return the change of fairness from its original to each other variant, by every metric whose change is computed.

    Parameters
    ----------
    predictions : DataFrame
        As for `results_table`.
    original_of : callable
        From a variant's name to that of the original it is compared with: `ExperimentConfig.original_of`.
    evaluation, treated_by : str
        On which test faces.

    Returns
    -------
    DataFrame
        Columns FAIRNESS_CHANGE_COLUMNS; `metric` is that of a group metric with a `change`, such as "gap" or
        "equalized_odds_difference", `value` after minus before.
    """
    chosen = predictions[(predictions["evaluation"] == evaluation) & (predictions["treated_by"] == treated_by)]
    verdicts = {str(name): judged(part)[:2] for name, part in chosen.groupby("variant", sort=False)}
    rows = []
    for variant, (after, cells) in verdicts.items():
        original = original_of(variant)
        if variant == original or original not in verdicts:
            continue
        before = verdicts[original][0]
        for metric in metrics_of(GroupMetric):
            if metric.change is not None:
                change = metric.change(before, after, cells)
                rows.append((variant, metric.name, change.value, *change.interval, change.n))
    return pd.DataFrame(rows, columns=list(FAIRNESS_CHANGE_COLUMNS))
