"""How many decisions change when regions are hidden: what an audit of classifiers left of its causal check."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairsal_core.results.checking import Kind, check_columns
from fairsal_core.runs import RunFiles, read_table

REGION, ELSEWHERE, DIFFERENCE = "region", "elsewhere", "region - elsewhere"
HIDDEN_COLUMNS = ("variant", "scheme", "where", "group", "changed", "low", "high", "to_yes", "to_no", "n")
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
    try:
        table = read_table(run, RunFiles(run).hidden)
    except FileNotFoundError:
        return pd.DataFrame(columns=list(HIDDEN_COLUMNS))
    check_columns(f"What run {run.name} says of hidden regions", table, _KINDS)
    return table


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
