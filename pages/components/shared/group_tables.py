"""Rates by group: how they are weighed, and as tables to read."""

import pandas as pd
import streamlit as st

from fairsal_core.metrics import GROUP_RATES
from fairsal_core.scan import AS_THEY_ARE, EQUAL, IMPACT_RATIO, POPULATION, VIEWS, Groups

CANNOT_SAY = "cannot say"
_VIEW_TITLES = {
    AS_THEY_ARE: "as the faces are",
    EQUAL: "both labels weigh the same",
    POPULATION: "as in the whole split",
}


def choose_view() -> str:
    """Show the choice of how a group's labels are weighed, which the link holds, and return it: one of VIEWS."""
    return str(
        st.segmented_control(
            "Weights",
            VIEWS,
            default=AS_THEY_ARE,
            required=True,
            key="group_view",
            bind="query-params",
            format_func=_VIEW_TITLES.__getitem__,
            wrap=True,
            help="Selection rate and accuracy depend on how common the target is in a group: as among the test faces, both labels "
            "alike, or as in all of the set's faces of their split.",
        )
    )


def rates_table(table: pd.DataFrame, sign: str = "") -> pd.DataFrame:
    """Return rows as those of `Groups.table` side by side: a row for each group, every rate as text with its interval."""
    numbers = table[["value", "low", "high"]].to_numpy(dtype=float)
    form = f"{{:{sign}z.2f}} [{{:{sign}z.2f}}, {{:{sign}z.2f}}]"
    shown = [CANNOT_SAY if each[0] != each[0] else form.format(*each) for each in numbers]
    wide = table.assign(shown=shown).pivot(index="group", columns="metric", values="shown")
    present = [name for name in (*GROUP_RATES, IMPACT_RATIO) if name in wide.columns]
    return wide[present].rename(columns=lambda name: name.replace("_", " "))


def spreads_table(groups: Groups) -> pd.DataFrame:
    """Return how far apart the groups that count are, a row for each rate."""
    rows = {
        name.replace("_", " "): (
            f"{each.difference:.2f} [{each.difference_low:.2f}, {each.difference_high:.2f}]"
            if each.difference == each.difference
            else CANNOT_SAY,
            f"{each.ratio:.2f} [{each.ratio_low:.2f}, {each.ratio_high:.2f}]"
            if each.ratio == each.ratio
            else CANNOT_SAY,
        )
        for name, each in groups.spreads.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["largest − smallest", "smallest / largest"])
