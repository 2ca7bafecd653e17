"""From predictions to the table of results: every number of every variant, clean and treated, with its interval."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import Cell, Group, cell_name, cells_of, group_name, groups_of_column
from fairsal_core.metrics import (
    ACCURACY,
    GAP,
    METRICS,
    Decisions,
    Estimate,
    GroupMetric,
    Hits,
    in_population,
    metrics_of,
    numbered,
    other_cells,
    target_cells,
)
from fairsal_core.results.checking import Kind, check_columns
from fairsal_core.runs import RunFiles, is_there, read_table

THRESHOLD = 0.5
CLEAN, TREATED = "clean", "treated"
PREDICTION_COLUMNS = ("variant", "evaluation", "treated_by", "seed", "face", "target", "confounder", "score")
EVALUATION_KEYS = ("variant", "evaluation", "treated_by")
RESULT_COLUMNS = ("variant", "evaluation", "treated_by", "seed", "metric", "group", "value", "low", "high", "n")
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("variant", "evaluation", "treated_by", "metric", "group", "face"), "text"),
    **dict.fromkeys(("value", "low", "high", "score"), "number"),
    **dict.fromkeys(("seed", "n"), "whole number"),
    "target": "flag",
    "confounder": "group",
}


def results_table(predictions: pd.DataFrame, target: str, confounder: str) -> pd.DataFrame:
    """Return every metric per variant, evaluation and seed, and over all seeds.

    Parameters
    ----------
    predictions : DataFrame
        One row per variant, seed, evaluation and test face: `variant`, `seed`, `evaluation` ("clean" or "treated"),
        `treated_by` (a general scheme, or ""), `face`, `target` (bool), `confounder` (bool, or which of several values, as
        categories), `score` (0 to 1); and perhaps `decision`, see `positive`.
    target, confounder : str
        Attribute names, for naming the groups.

    Returns
    -------
    DataFrame
        Columns `RESULT_COLUMNS`, one row an estimate of every group metric in METRICS. `seed` is missing where all seeds are
        taken together, `low` and `high` are the 95% interval, `n` counts test faces. For the metric "accuracy", `group` is
        "all", a target group such as "men", or a cell such as "men with Blond_Hair"; for "gap" it is, for example,
        "women - men"; for "worst_cell" the cell; for the fairness differences between groups of the confounder, "all".
    """
    rows: list[dict[str, Any]] = []
    for about, part in by_evaluation(predictions):
        said = answers(part)
        for index, seed in enumerate(said.seeds):
            one = said._replace(yes=said.yes[[index]], seeds=[seed])
            rows += [{**about, "seed": seed, **row} for row in _rows(one, target, confounder)]
        rows += [{**about, "seed": pd.NA, **row} for row in _rows(said, target, confounder)]
    return _as_results(rows)


def natural_table(predictions: pd.DataFrame, target: str, cells: pd.Series, prevalence: pd.Series) -> pd.DataFrame:
    """Return accuracy and gap as a population would see them whose cells are as common as one says.

    Parameters
    ----------
    predictions : DataFrame
        As for `results_table`.
    target : str
        What they predict, for naming the groups.
    cells : Series
        Which cell each face is in, by face: see `cells_by_face`. The faces of a cell have the target, or none of them does.
    prevalence : Series
        How common each cell is, by cell; one that is not named is not there.

    Returns
    -------
    DataFrame
        Same columns as `results_table`, over all seeds alone: of all, of the two target groups, and the gap.
    """
    kinds = pd.CategoricalDtype(list(dict.fromkeys([*prevalence.index, *cells.unique()])))
    codes = cells.astype(kinds).cat.codes.astype(np.int64)
    weights = prevalence.reindex(kinds.categories, fill_value=0).to_numpy(np.float64)
    named = ("all", group_name(target, True), group_name(target, False), gap_name(target))
    rows: list[dict[str, Any]] = []
    for about, part in by_evaluation(predictions):
        said = answers(part)
        of_each = np.asarray(codes.loc[said.faces], dtype=np.int64)
        of_target = np.zeros(len(weights), dtype=bool)
        of_target[of_each[said.target]] = True
        found = in_population(said.correct, of_each, weights, of_target)
        rows += [
            {**about, "seed": pd.NA, **_as_row(estimate, group)} for group, estimate in zip(named, found, strict=True)
        ]
    return _as_results(rows)


def cells_by_face(predictions: pd.DataFrame, target: str, confounder: str) -> pd.Series:
    """Return which cell each face of predictions is in, by face: what it is called."""
    faces = predictions.drop_duplicates("face").set_index("face")
    group, groups = groups_of_column(faces["confounder"])
    numbers = numbered(faces["target"].to_numpy(dtype=bool), group, len(groups))
    names = np.array([cell_name(target, confounder, cell) for cell in cells_of(groups)])
    return pd.Series(names[numbers], index=faces.index, name="cell")


def read_results(run: Path) -> pd.DataFrame:
    """Return the results of a finished run's directory.

    Raises
    ------
    FairsalError
        If it has none that can be read.
    """
    return _read_table(run, RunFiles(run).results, RESULT_COLUMNS)


def read_predictions(run: Path) -> pd.DataFrame:
    """Return the predictions of a finished run's directory, as `results_table` takes them.

    Raises
    ------
    FairsalError
        If it has none that can be read.
    """
    return _read_table(run, RunFiles(run).predictions, PREDICTION_COLUMNS)


def read_validation(run: Path) -> pd.DataFrame | None:
    """Return the predictions on the held-out split that is there to choose by; None where there was nothing to choose.

    Raises
    ------
    FairsalError
        If they cannot be read.
    """
    file = RunFiles(run).validation
    return _read_table(run, file, PREDICTION_COLUMNS) if is_there(run, file) else None


def _read_table(run: Path, file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    what = file.stem
    try:
        table = read_table(run, file)
    except FileNotFoundError:
        raise FairsalError(f"Run {run.name} has no {what}.") from None
    check_columns(f"The {what} of run {run.name}", table, {column: _KINDS[column] for column in columns})
    return table


def over_all_seeds(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which all seeds are taken together."""
    return results[results["seed"].isna()]


def accuracy_and_gap(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the paper's metrics: a group's name is then one number, as it is not among all metrics."""
    return results[results["metric"].isin((ACCURACY, GAP))]


def wide_results(results: pd.DataFrame, column: str = "value") -> pd.DataFrame:
    """Return the table of De Coninck et al. (2024), one row per variant and evaluation, over all seeds.

    Parameters
    ----------
    results : DataFrame
        As from `results_table`.
    column : str
        What to fill it with: "value", "low", "high" or "n".

    Returns
    -------
    DataFrame
        Columns `variant`, `evaluation`, `treated_by`, then one per group: all, the two target groups, the gap, the cells.
    """
    pooled = over_all_seeds(accuracy_and_gap(results))
    # Not pivot_table: it either drops rows or adds every combination of the three that never happened.
    keys = ["variant", "evaluation", "treated_by", "group"]
    by_group = pooled.set_index(keys)[column].unstack("group", sort=False)
    names = list(dict.fromkeys(pooled["group"]))
    gap = pooled.loc[pooled["metric"] == GAP, "group"].iloc[0]
    groups = [name for name in names if name != gap]
    return by_group[[*groups[:3], gap, *groups[3:]]].reset_index().rename_axis(columns=None)


def gap_name(target: str) -> str:
    """Return what the gap is the difference of, e.g. "women - men"."""
    return f"{group_name(target, False)} - {group_name(target, True)}"


def by_evaluation(predictions: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Give variant, evaluation and what it is treated by, and the predictions of each."""
    for keys, part in predictions.groupby(list(EVALUATION_KEYS), sort=False, observed=True):
        yield dict(zip(EVALUATION_KEYS, map(str, keys), strict=True)), part


def _as_results(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS)).astype({"seed": "Int64"})


def positive(predictions: pd.DataFrame) -> pd.Series:
    """Return the probability of each row's decision "has the target": 0 or 1, unless thresholds are drawn.

    `decision` holds it for classifiers that decide by thresholds of their own; for all others the score decides.
    """
    certain = (predictions["score"] > THRESHOLD).astype(float)
    return predictions["decision"].fillna(certain) if "decision" in predictions else certain


class Answers(NamedTuple):
    """What the classifiers of a variant, one for each seed, said of the same faces under one evaluation.

    `yes` (S, N) is what each says of each face, bool, or how probably where decisions are drawn; `target` (N,) is whether the face
    has it, `group` (N,) which of the `groups` of the confounder it is of.
    """

    yes: Hits
    target: NDArray[np.bool_]
    group: NDArray[np.int64]
    groups: tuple[Group, ...]
    faces: pd.Index
    seeds: list[int]

    @property
    def correct(self) -> Hits:
        """Whether each is right about each face, (S, N), or how probably."""
        right = self.yes == self.target if self.yes.dtype == bool else np.where(self.target, self.yes, 1 - self.yes)
        return np.asarray(right)

    @property
    def cells(self) -> NDArray[np.int64]:
        """The cell of each face, (N,)."""
        return numbered(self.target, self.group, len(self.groups))

    @property
    def decisions(self) -> Decisions:
        """What group metrics are computed from."""
        return Decisions(self.correct, self.cells, len(self.groups))


def answers(part: pd.DataFrame) -> Answers:
    """Return what predictions of one variant and evaluation say, seed by seed.

    Raises
    ------
    FairsalError
        If not every seed judged every face.
    """
    by_seed = part.assign(yes=positive(part)).pivot(index="face", columns="seed", values="yes")
    if by_seed.isna().to_numpy().any():
        raise FairsalError("The predictions are incomplete: not every seed has judged every test face.")
    faces = part.drop_duplicates("face").set_index("face").loc[by_seed.index]
    yes = by_seed.to_numpy(dtype=np.float64).T
    certain = bool(np.isin(yes, (0, 1)).all())
    return Answers(
        yes.astype(bool) if certain else yes,
        faces["target"].to_numpy(dtype=bool),
        *groups_of_column(faces["confounder"]),
        by_seed.index,
        [int(seed) for seed in by_seed.columns],
    )


def judged(part: pd.DataFrame) -> tuple[Hits, NDArray[np.int64], list[int]]:
    """Return correctness (S, N), bool or its probability, the cell of each face (N,), and the seeds."""
    said = answers(part)
    return said.correct, said.cells, said.seeds


def _rows(said: Answers, target: str, confounder: str) -> Iterator[dict[str, Any]]:
    decisions = said.decisions
    for metric in metrics_of(GroupMetric):
        for estimate in metric.estimates(decisions):
            yield _as_row(estimate, group_of(estimate, target, confounder, said.groups))


def _as_row(estimate: Estimate, group: str) -> dict[str, Any]:
    return {
        "metric": estimate.metric,
        "group": group,
        "value": estimate.value,
        "low": estimate.interval.low,
        "high": estimate.interval.high,
        "n": estimate.n,
    }


def group_of(estimate: Estimate, target: str, confounder: str, groups: Sequence[Group]) -> str:
    """Return what to call the faces that an estimate is about, e.g. "all" or "men with Blond_Hair", for these groups."""
    metric = METRICS.get(estimate.metric)
    if isinstance(metric, GroupMetric) and metric.about == "targets":
        return gap_name(target)
    cells: tuple[Cell, ...] = cells_of(groups)
    if len(estimate.cells) == len(cells):
        return "all"
    if estimate.cells in (target_cells(len(groups)), other_cells(len(groups))):
        return group_name(target, cells[estimate.cells[0]].target)
    return " and ".join(cell_name(target, confounder, cells[cell]) for cell in estimate.cells)
