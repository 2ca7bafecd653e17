"""Rates by group: one protected attribute or several, crossed, of any number of values."""

import pandas as pd
import streamlit as st

from fairsal_core.metrics import GROUP_RATES, LEAST_SHARE
from fairsal_core.scan import (
    AS_THEY_ARE,
    EQUAL,
    FEWEST_IN_GROUP,
    IMPACT_RATIO,
    VIEWS,
    Groups,
    KeptGroups,
    groups_of,
    keep_groups,
)
from pages.components.scan.view import View
from pages.components.shared.table_download import offer_table
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

_TITLES = {AS_THEY_ARE: "as the faces are", EQUAL: "both labels weigh the same"}


@in_one_sentence("Rates by group")
def groups_section(view: View) -> None:
    """Show every rate of decisions for each group, and how far apart groups are."""
    st.subheader("Rates by group")
    options = [str(name) for name in view.attributes.columns if view.attributes[name].nunique() > 1]
    options += [name for name in view.faces.choices if "=" in name]
    first = str(view.run.config.get("confounder", ""))
    left, right = st.columns([3, 2])
    with left:
        protected = st.multiselect(
            "Protected attributes, crossed",
            options,
            default=[first] if first in options else options[:1],
            key="protected",
            bind="query-params",
        )
    with right:
        seen = st.segmented_control(
            "Weights",
            VIEWS,
            default=AS_THEY_ARE,
            required=True,
            key="group_view",
            bind="query-params",
            format_func=lambda each: _TITLES[each],
        )
    if not protected:
        st.info("Choose one attribute or more to see every rate by group.")
        return
    groups = groups_of(view.judged, view.faces, protected, str(seen))
    st.dataframe(_wide(groups), width="stretch", alt="Rates by group with 95% intervals")
    st.dataframe(_spreads(groups), width="stretch", alt="How far apart groups are")
    st.caption(
        f"95% intervals. Impact ratio: the selection rate over that of the most selected group. Groups with less than "
        f"{LEAST_SHARE:.0%} of the faces, or fewer than {FEWEST_IN_GROUP}, are named and left out of it and of the differences. "
        f"{plain(groups.left_out_note)}"
    )
    with st.container(horizontal=True):
        offer_table(groups.table, "All rates", f"groups-{view.run.id}")
        if st.button("Put these groups into the report", icon=":material/description:"):
            keep_groups(view.run.path, [KeptGroups.of(view.judged, groups, protected, view.cohort)])
            st.success("The run's report has these groups now.")


def _wide(groups: Groups) -> pd.DataFrame:
    numbers = groups.table[["value", "low", "high"]].to_numpy(dtype=float)
    shown = ["cannot say" if value != value else f"{value:.2f} [{low:.2f}, {high:.2f}]" for value, low, high in numbers]
    table = groups.table.assign(shown=shown)
    wide = table.pivot(index="group", columns="metric", values="shown")[[*GROUP_RATES, IMPACT_RATIO]]
    return wide.rename(columns=lambda name: name.replace("_", " ")).assign(faces=groups.sizes).sort_index()


def _spreads(groups: Groups) -> pd.DataFrame:
    rows = {
        name.replace("_", " "): (
            f"{each.difference:.2f} [{each.difference_low:.2f}, {each.difference_high:.2f}]",
            f"{each.ratio:.2f} [{each.ratio_low:.2f}, {each.ratio_high:.2f}]"
            if each.ratio == each.ratio
            else "cannot say",
        )
        for name, each in groups.spreads.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["largest − smallest", "smallest / largest"])
