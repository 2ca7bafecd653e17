"""Start: what this is, three ways in, what runs and what finished, and the tour."""

from pathlib import Path

import streamlit as st

from pages.components.shared.frame import inside_app
from pages.components.start.ways import ways_section

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "overview.png"

inside_app()

st.title("Is this face classifier fair for the right reasons?")
st.markdown(
    "fairsal shows **where in a face an attribute can be read off**. It trains classifiers on biased data **with those regions "
    "hidden**, and compares the **accuracy of every subgroup**, and **where the classifiers look**, before and after. Everything "
    "runs on this machine, and drawn faces are included, so that no data set is needed to begin."
)
st.image(
    str(PICTURE),
    width="stretch",
    alt="Four pictures of one drawn face: the face; a map that is bright on its blond hair; the face with those pixels set "
    "to one colour; the face with those pixels under noise",
)
ways_section()

# What reads runs and faces brings pandas: after everything that can be read meanwhile.
from pages.components.shared.data import sources  # noqa: E402
from pages.components.shared.label_note import label_note  # noqa: E402
from pages.components.start.recent_runs import recent_runs_section  # noqa: E402
from pages.components.start.tour_invitation import tour_section  # noqa: E402

left, right = st.columns([3, 2], gap="large")
with left:
    tour_section()
with right:
    recent_runs_section()
label_note(sources()[0])
