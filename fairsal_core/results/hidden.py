"""How many decisions change when regions are hidden: what an audit of classifiers left of its causal check."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairsal_core.metrics import change_interval, contrast_interval
from fairsal_core.results.checking import Kind, check_columns
from fairsal_core.runs import RunFiles, read_table

REGION, ELSEWHERE, DIFFERENCE = "region", "elsewhere", "region - elsewhere"
HIDDEN_COLUMNS = ("variant", "scheme", "where", "group", "changed", "low", "high", "to_yes", "to_no", "n")
HIDDEN_FACES_COLUMNS = ("variant", "scheme", "face", "target", "before", REGION, ELSEWHERE)
_FACE_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("variant", "scheme", "face"), "text"),
    "target": "flag",
    **dict.fromkeys(("before", REGION, ELSEWHERE), "number"),
}
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("variant", "scheme", "where", "group"), "text"),
    **dict.fromkeys(("changed", "low", "high", "to_yes", "to_no"), "number"),
    "n": "whole number",
}


def read_hidden(run: Path) -> pd.DataFrame:
    """Return what a run says of hidden regions, `HIDDEN_COLUMNS`; empty for a run that hid none.

    Raises
    ------
    FairsalError
        If it cannot be read.
    """
    return _read(run, RunFiles(run).hidden, "of hidden regions", HIDDEN_COLUMNS, _KINDS)


def read_hidden_faces(run: Path) -> pd.DataFrame:
    """Return what hiding did to the decision about each face, `HIDDEN_FACES_COLUMNS`; empty for a run that kept none.

    `before`, `region` and `elsewhere` are decisions on clean faces, with the region hidden, and with as much hidden elsewhere:
    1, 0, or the probability of yes where thresholds are drawn.

    Raises
    ------
    FairsalError
        If it cannot be read.
    """
    about = "of single faces with regions hidden"
    return _read(run, RunFiles(run).hidden_faces, about, HIDDEN_FACES_COLUMNS, _FACE_KINDS)


def _read(run: Path, file: Path, about: str, columns: Sequence[str], kinds: Mapping[str, Kind]) -> pd.DataFrame:
    try:
        table = read_table(run, file)
    except FileNotFoundError:
        return pd.DataFrame(columns=list(columns))
    check_columns(f"What run {run.name} says {about}", table, kinds)
    return table


def changed_decisions(
    before: NDArray[np.float64],
    after: Mapping[str, NDArray[np.float64]],
    cells: NDArray[np.int64],
    groups: Mapping[str, Sequence[int]],
) -> pd.DataFrame:
    """Return which share of decisions changes when something is hidden, by group.

    Parameters
    ----------
    before : array, (N,)
        Decisions on clean faces: 1, 0, or the probability of yes where thresholds are drawn.
    after : mapping of array, (N,)
        The same with something hidden, by where: `REGION` and `ELSEWHERE`.
    cells : array, (N,) int
        The cell of each face, from 0.
    groups : mapping
        Group -> its cells, which count by how many faces they have.

    Returns
    -------
    DataFrame
        Columns `where`, `group`, `changed`, `low`, `high`, `to_yes`, `to_no` and `n`; rows too for the difference of the two,
        paired by face, without `to_yes` and `to_no`. Intervals are `contrast_interval`'s and `change_interval`'s, 95%.
    """
    moved = {where: np.abs(values - before)[None, :] for where, values in after.items()}
    sizes = np.bincount(cells)
    rows = []
    for group, members in groups.items():
        inside = np.isin(cells, list(members))
        weights = np.where(np.isin(np.arange(len(sizes)), list(members)), sizes / inside.sum(), 0.0)
        about = {"group": group, "n": int(inside.sum())}
        for where, values in after.items():
            step = values[inside] - before[inside]
            low, high = contrast_interval(moved[where], cells, weights)
            rows.append(
                {
                    "where": where,
                    "changed": float(moved[where][0, inside].mean()),
                    "low": low,
                    "high": high,
                    "to_yes": float(np.clip(step, 0, None).mean()),
                    "to_no": float(np.clip(-step, 0, None).mean()),
                    **about,
                }
            )
        low, high = change_interval(moved[ELSEWHERE], moved[REGION], cells, weights)
        difference = float((moved[REGION] - moved[ELSEWHERE])[0, inside].mean())
        rows.append({"where": DIFFERENCE, "changed": difference, "low": low, "high": high, **about})
    return pd.DataFrame(rows)


def hidden_in_words(hidden: pd.DataFrame) -> pd.DataFrame:
    """Return a row a classifier, scheme and group: the share of decisions that changes, with its 95% interval, and beside what."""
    rows = []
    for (variant, scheme, group), part in hidden.groupby(["variant", "scheme", "group"], sort=False, observed=True):
        by_place = part.set_index("where").to_dict("index")
        region, elsewhere, difference = (by_place.get(where) for where in (REGION, ELSEWHERE, DIFFERENCE))
        if not region or not elsewhere or not difference:
            continue
        rows.append(
            {
                "classifier": variant,
                "hidden by": scheme,
                "group": group,
                "difference": f"{difference['changed']:+.1%} [{difference['low']:+.1%}, {difference['high']:+.1%}]",
                "decisions that change": _share(region),
                "with as much hidden elsewhere": _share(elsewhere),
                "to yes": f"{region['to_yes']:.1%}",
                "to no": f"{region['to_no']:.1%}",
                "n": int(region["n"]),
            }
        )
    return pd.DataFrame(rows)


def _share(row: Mapping[Any, Any]) -> str:
    return f"{row['changed']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"
