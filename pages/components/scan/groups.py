"""Rates by group: one protected attribute or several, crossed, of any number of values."""

import streamlit as st

from fairsal_core.metrics import LEAST_SHARE
from fairsal_core.scan import (
    FEWEST_IN_GROUP,
    KeptGroups,
    groups_of,
    keep_groups,
)
from pages.components.scan.view import View
from pages.components.shared.group_tables import choose_view, rates_table, spreads_table
from pages.components.shared.table_download import offer_table
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


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
        seen = choose_view()
    if not protected:
        st.info("Choose one attribute or more to see every rate by group.")
        return
    groups = groups_of(view.judged, view.faces, protected, seen)
    st.dataframe(
        rates_table(groups.table).assign(faces=groups.sizes).sort_index(),
        width="stretch",
        alt="Rates by group with 95% intervals",
    )
    st.dataframe(spreads_table(groups), width="stretch", alt="How far apart groups are")
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
