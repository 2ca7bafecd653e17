"""Whether tables and settings that come out of a run's directory are what a run leaves: the directory may be anyone's."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from fairsal_core.errors import FairsalError
from fairsal_core.faces import CellCounts, Counts, cell_name, cells_of, counts_kept, group_name, groups_of_column
from fairsal_core.metrics import ACCURACY, GAP

Kind = Literal["text", "number", "whole number", "flag", "group"]
_ROWS = ["variant", "evaluation", "treated_by"]
_MOST_GROUPS = 200


def _of_cells(kept: dict[str, Any]) -> dict[str, Any]:
    counts_kept(kept)
    return kept


_Kept = Annotated[dict[str, Any], AfterValidator(_of_cells)]  # counts as files keep them


class Comparable(BaseModel):
    """What comparing a run needs to know of its settings, whatever version they are of."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    data: str = Field(min_length=1)
    target: str = Field(min_length=1)
    confounder: str = Field(min_length=1)
    seeds: Sequence[int] = Field(min_length=1)


class Subsets(BaseModel):
    """What `subsets.json` says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # Of the training subset; of an audit, of the faces that are judged on. None where the protected attribute has several values.
    phi: float | None = Field(ge=-1, le=1)
    available: _Kept
    train: Mapping[str, CellCounts]
    test: _Kept
    test_available: _Kept | None = None


class Sanity(BaseModel):
    """What became of maps when the weights were randomised."""

    variant: str
    seed: int
    n: int
    correlation: float | None
    low: float | None = None
    high: float | None = None


class Explainer(BaseModel):
    """What `attention/EXPLAINER/about.json` says of the explainer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    explainer: str
    method: str
    sanity: Sanity | None = None


class Maps(BaseModel):
    """What it says of the maps that are kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    magnitude: str
    faces: int
    variants: Sequence[str] = Field(min_length=1)
    originals: Mapping[str, str]
    seeds: Sequence[int] = Field(min_length=1)
    maps_of_seed: int
    roi_used: str | None


def check_explainer(folder: str, content: Any) -> None:
    """Raise FairsalError if this is no explainer's `about.json`."""
    _check(Explainer, content, f"The explanations in {folder}")


def check_maps(folder: str, content: Any) -> None:
    """Raise FairsalError if an explainer's `about.json` does not say what maps are kept."""
    _check(Maps, content, f"The explanations in {folder}")


def check_comparable(run: str, config: Mapping[str, Any]) -> None:
    """Raise FairsalError if a run's settings do not say what it compares."""
    _check(Comparable, dict(config), f"The settings of run {run}")


def check_subsets(run: str, content: Any) -> None:
    """Raise FairsalError if this is not what `subsets.json` holds."""
    _check(Subsets, content, f"The training faces of run {run}")


def _check(model: type[BaseModel], content: Any, what: str) -> None:
    try:
        model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:80]
        said = f"{place}: {first['msg']}" if place else first["msg"]
        raise FairsalError(f"{what} are not what a run leaves ({' '.join(said.split())[:200]}).") from error


def check_columns(what: str, table: pd.DataFrame, kinds: Mapping[str, Kind]) -> None:
    """Raise FairsalError if a column holds anything else than what it is said to; `what` begins the sentence."""
    for column, kind in kinds.items():
        if column not in table.columns:
            raise FairsalError(f"{what} lack the column '{column}'.")
        if list(table.columns).count(column) > 1 or not _is(table[column], kind):
            raise FairsalError(f"{what} hold something else than {kind}s in the column '{column}'.")


def _is(column: pd.Series, kind: Kind) -> bool:
    if kind == "text":
        values = column.cat.categories.to_series() if isinstance(column.dtype, pd.CategoricalDtype) else column
        return not column.isna().any() and pd.api.types.infer_dtype(values, skipna=False) in ("string", "empty")
    if kind == "flag":
        return pd.api.types.is_bool_dtype(column) and not column.isna().any()
    if kind == "group":
        return _is(column, "flag") or (_is(column, "text") and column.nunique() <= _MOST_GROUPS)
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        return False
    numbers = column.to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(numbers).any():
        return False
    return kind == "number" or bool((np.mod(numbers[~np.isnan(numbers)], 1) == 0).all())


def check_results(run: str, results: pd.DataFrame, target: str, confounder: str, tested: Counts) -> None:
    """Raise FairsalError if results lack a number that every variant has, or have one twice.

    Parameters
    ----------
    run : str
        The run's id, for the sentence.
    results : DataFrame
        As from `read_results`.
    target, confounder : str
        Attribute names, which name the groups.
    tested : mapping
        The test faces of each cell.
    """
    what = f"The results of run {run}"
    pooled = results[results["seed"].isna() & results["metric"].isin((ACCURACY, GAP))]
    if pooled.empty:
        raise FairsalError(f"{what} hold no accuracies over all seeds.")
    if pooled["value"].isna().all():
        raise FairsalError(f"{what} hold no numbers.")
    if results.duplicated([*_ROWS, "seed", "metric", "group"]).any():
        raise FairsalError(f"{what} hold a row twice.")
    if pooled["n"].isna().any():
        raise FairsalError(f"{what} do not say of how many faces they are.")
    groups = ["all", *(group_name(target, value) for value in (True, False))]
    groups += [cell_name(target, confounder, cell) for cell in tested]
    needed = {*((ACCURACY, group) for group in groups), (GAP, f"{groups[2]} - {groups[1]}")}
    for keys, part in pooled.groupby(_ROWS, sort=False, observed=True):
        lacking = sorted(needed - set(zip(part["metric"], part["group"], strict=True)))
        if lacking:
            raise FairsalError(f"{what} lack the {lacking[0][0]} of '{lacking[0][1]}' for {keys[0]}, {keys[1]}.")


def check_predictions(run: str, predictions: pd.DataFrame, tested: Counts) -> None:
    """Raise FairsalError if predictions are not of all cells that were `tested`, each face once for each seed."""
    what = f"The predictions of run {run}"
    if predictions.empty:
        raise FairsalError(f"{what} are of no face.")
    if predictions.duplicated([*_ROWS, "seed", "face"]).any():
        raise FairsalError(f"{what} hold a face twice.")
    cells = predictions.drop_duplicates([*_ROWS, "target", "confounder"]).groupby(_ROWS, observed=True).size()
    _, groups = groups_of_column(predictions["confounder"])
    if (cells != len(tested)).any() or set(cells_of(groups)) != set(tested):
        raise FairsalError(f"{what} are not of all cells, with the target and without.")
    faces = predictions.groupby([*_ROWS, "seed"], observed=True).size().groupby(_ROWS, observed=True)
    if (faces.nunique() > 1).any():
        raise FairsalError(f"{what} are incomplete: not every seed has judged every test face.")
