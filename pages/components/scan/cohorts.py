"""The cohorts of this set: what they are, their labels as a column, and forgetting them."""

import pandas as pd
import streamlit as st

from fairsal_core.scan import Cohort, delete_cohort, list_cohorts, make_column
from fairsal_core.spreadsheets import as_csv
from pages.components.scan.confounder import fill_training
from pages.components.scan.view import View
from pages.components.shared.data import forget_faces
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain


@in_one_sentence("Cohorts")
def cohorts_section(view: View) -> None:
    """List the cohorts of this set."""
    cohorts = list_cohorts(view.data)
    with st.expander(f"Cohorts of these faces: {len(cohorts)}"):
        if not cohorts:
            st.caption(
                "Choose a line above, or a cluster, and keep its faces by a name: they appear here and under *Faces*."
            )
        for cohort in cohorts:
            _one(view, cohort)


def _one(view: View, cohort: Cohort) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(cohort.name)}** · {len(cohort.faces):,} faces · {plain(cohort.origin)}")
        st.download_button(
            "As a column",
            lambda: as_csv(_column(view, cohort)).encode(),
            "cohort.csv",
            "text/csv",
            key=f"column-{cohort.name}",
            on_click="ignore",
            help="All faces of the set with 1 or 0: beside your labels it is an attribute, and can be a confounder.",
        )
        if st.button(
            "Use as confounder",
            key=f"train-{cohort.name}",
            icon=":material/model_training:",
            help="Makes it an attribute of these faces, here and on every page, and fills the form on Training.",
        ):
            attribute = make_column(cohort.name)
            forget_faces(view.data)
            fill_training(view, attribute)
        if cohort.column and st.button("No attribute any more", key=f"uncolumn-{cohort.name}"):
            make_column(cohort.name, False)
            forget_faces(view.data)
            st.rerun()
        if st.button("Forget", key=f"forget-{cohort.name}", icon=":material/delete:"):
            delete_cohort(cohort.name)
            forget_faces(view.data)
            st.rerun()


def _column(view: View, cohort: Cohort) -> pd.DataFrame:
    labels = cohort.labels(view.faces.names).astype(int)
    return labels.rename_axis("file_name").reset_index()
