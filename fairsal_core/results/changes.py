"""What changed from one variant to another on the same test faces, also across runs: numbers, and which faces."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import change_estimates
from fairsal_core.results.accuracy import EVALUATION_KEYS, THRESHOLD, Answers, answers, by_evaluation, group_of

CHANGE_COLUMNS = ("metric", "group", "change", "change_low", "change_high", "n", "seeds")


def changes_table(before: pd.DataFrame, after: pd.DataFrame, target: str, confounder: str) -> pd.DataFrame:
    """Return after minus before for every group, with intervals, over the seeds that both have.

    Parameters
    ----------
    before, after : DataFrame
        Predictions of one variant and evaluation each, as in `predictions.parquet`.
    target, confounder : str
        Attribute names, for naming the groups.

    Returns
    -------
    DataFrame
        Columns `CHANGE_COLUMNS`. Groups are named as in `results_table`; the metric "gap" is the change of |gap|.

    Raises
    ------
    FairsalError
        If the two were not judged on the same faces, or share no seed.
    """
    first, second = paired_answers(before, after)
    rows = [
        (
            estimate.metric,
            group_of(estimate, target, confounder, first.groups),
            estimate.value,
            estimate.interval.low,
            estimate.interval.high,
            estimate.n,
            len(first.seeds),
        )
        for estimate in change_estimates(first.correct, second.correct, first.cells, len(first.groups))
    ]
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def paired_answers(before: pd.DataFrame, after: pd.DataFrame) -> tuple[Answers, Answers]:
    """Return what both say of the same faces, by the seeds that both have; parameters and errors as for `changes_table`."""
    seeds = sorted(set(before["seed"]) & set(after["seed"]))
    if not seeds:
        raise FairsalError("The two variants share no seed, so their difference cannot be paired.")
    first, second = (answers(part[part["seed"].isin(seeds)]) for part in (before, after))
    if not first.faces.equals(second.faces) or first.groups != second.groups:
        raise FairsalError("The two variants were judged on different test faces.")
    return first, second


def reference_changes(
    predictions: pd.DataFrame, reference_of: Callable[[str], str], target: str, confounder: str
) -> pd.DataFrame:
    """Return the changes from its reference to each variant, on the same clean or equally treated faces.

    Parameters
    ----------
    predictions : DataFrame
        As in `predictions.parquet`.
    reference_of : callable
        The variant that another is compared with, by name, such as `ExperimentConfig.original_of`.
    target, confounder : str
        Attribute names, for naming the groups.

    Returns
    -------
    DataFrame
        Columns `variant`, `evaluation`, `treated_by`, `reference` and `CHANGE_COLUMNS`.
    """
    there = {tuple(about.values()): part for about, part in by_evaluation(predictions)}
    tables = []
    for (variant, evaluation, treated_by), after in there.items():
        reference = reference_of(variant)
        before = there.get((reference, evaluation, treated_by))
        if reference == variant or before is None:
            continue
        about = dict(zip([*EVALUATION_KEYS, "reference"], (variant, evaluation, treated_by, reference), strict=True))
        tables.append(changes_table(before, after, target, confounder).assign(**about))
    columns = [*EVALUATION_KEYS, "reference", *CHANGE_COLUMNS]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)


def face_changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return, face by face, the mean score over seeds before and after, and what became of the prediction.

    Parameters
    ----------
    before, after
        As in `changes_table`; faces that only one of them has are left out.

    Returns
    -------
    DataFrame
        Index `face`; `target` (bool), `confounder` (bool, or a value), `before`, `after` (scores, 0 to 1), `right_before`,
        `right_after` and `changed` (bool), those whose score moved most first.
    """
    labels = after.drop_duplicates("face").set_index("face")[["target", "confounder"]].astype({"target": bool})
    scores = pd.concat(
        {"before": before.groupby("face")["score"].mean(), "after": after.groupby("face")["score"].mean()}, axis=1
    )
    table = labels.join(scores.dropna(), how="inner")
    for when, part in (("before", before), ("after", after)):
        table[f"right_{when}"] = _says_yes(part).loc[table.index] == table["target"]
    table["changed"] = table["right_before"] != table["right_after"]
    moved = (table["after"] - table["before"]).abs().to_numpy()
    return table.iloc[np.argsort(-moved, kind="stable")]


def _says_yes(part: pd.DataFrame) -> pd.Series:
    """Return, by face, whether the mean over seeds says "yes": of the decisions, where thresholds make them, else of the scores."""
    by_thresholds = "decision" in part and bool(part["decision"].notna().all())
    return part.groupby("face")["decision" if by_thresholds else "score"].mean() > THRESHOLD
