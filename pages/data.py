"""Data: what a set's columns are, twelve of its faces with their labels, its groups, and what is wrong with it."""

import streamlit as st

from pages.components.data.audit import audit_section
from pages.components.data.columns import columns_section
from pages.components.data.groups import groups_section
from pages.components.data.twelve import twelve_faces_section
from pages.components.shared.data import choose_source, faces_or_stop
from pages.components.shared.frame import inside_app
from pages.components.shared.frame_note import frame_note
from pages.components.shared.glossary import glossary
from pages.components.shared.label_note import label_note

inside_app()

st.title("Look at the data first")
st.markdown(
    "What each column is taken for, twelve faces to check it by, how many there are of each group, and what no model mends: "
    "duplicates, persons in two splits, labels that contradict each other."
)

glossary(
    "target attribute", "confounder, protected attribute", "annotated male", "group", "duplicate, leak", "crop, frame"
)
source = choose_source()
faces = faces_or_stop(source)
for note in faces.notes:
    st.info(note, icon=":material/info:")
frame_note(source, faces)
mapping = columns_section(source, faces)
twelve_faces_section(faces)
groups_section(faces, mapping)
audit_section(source, faces, mapping)
label_note(source)
