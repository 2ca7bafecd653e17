"""Start: what this is, three ways in, what runs and what finished, and the tour."""

from functools import partial
from pathlib import Path

import streamlit as st

from pages.components.frame import inside_app

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "overview.png"
SHOWN = 5

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

WAYS = (
    (
        "See where an attribute lives",
        "A region classifier sees one small patch at a time. Its confidence, patch by patch, is a map.",
        partial(st.page_link, "pages/attribution.py", label="Open Attribution", icon=":material/location_searching:"),
    ),
    (
        "Hide it and retrain",
        "Train on data where, say, only women are blond, with the hair masked or under noise.",
        partial(st.page_link, "pages/training.py", label="Open Training", icon=":material/model_training:"),
    ),
    (
        "Did attention move?",
        "Accuracy and attention of every variant, subgroup by subgroup, clean and treated, with intervals.",
        partial(st.page_link, "pages/comparison.py", label="Open Comparison", icon=":material/balance:"),
    ),
)
for column, (title, meaning, link) in zip(st.columns(3, border=True), WAYS, strict=True):
    with column:
        with st.container(height="stretch"):  # so that the links stand on one line
            st.subheader(title)
            st.write(meaning)
        link()

# What reads runs and faces brings pandas: after everything that can be read meanwhile.
from pages.components.notes import label_note  # noqa: E402
from pages.components.runs import show_recent  # noqa: E402
from pages.components.tour import STEPS, tour_link  # noqa: E402

left, right = st.columns([3, 2], gap="large")
with left:
    st.subheader("A tour in five steps")
    st.markdown("On the drawn faces, in under five minutes, with the reason for each step.")
    st.markdown("\n".join(f"{number}. {step.title}" for number, step in enumerate(STEPS, 1)))
    tour_link(1, "Begin the tour", ":material/tour:")
with right:
    st.subheader("Runs")
    show_recent(SHOWN)
label_note("demo")
