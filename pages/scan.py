"""Scan: by which attributes a classifier errs differently, where it looks, and what no column names."""

import streamlit as st

from pages.components.scan.check import check_section
from pages.components.scan.clusters import clusters_section
from pages.components.scan.cohorts import cohorts_section
from pages.components.scan.columns import columns_section
from pages.components.scan.groups import groups_section
from pages.components.scan.looks import looks_section
from pages.components.scan.report import report_section
from pages.components.scan.selections import selections_section
from pages.components.scan.view import choose_view
from pages.components.shared.frame import inside_app
from pages.components.shared.glossary import glossary
from pages.components.shared.label_note import label_note

inside_app()

st.title("Find what differs, without naming it first")
st.markdown(
    "Every attribute of the faces is compared at once: where the errors differ, how sure that is, and what cannot be said for "
    "want of faces. Nothing is trained."
)

glossary("scan", "subject", "worst cell", "group", "attention", "interval")
view = choose_view()
columns_section(view)
check_section()
looks_section(view)
clusters_section(view)
groups_section(view)
selections_section(view)
cohorts_section(view)
report_section(view)
label_note(view.data)
