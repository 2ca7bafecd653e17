"""Three ways into the app."""

from functools import partial

import streamlit as st

_WAYS = (
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


def ways_section() -> None:
    """Show what each page answers, and the way there."""
    for column, (title, meaning, link) in zip(st.columns(3, border=True), _WAYS, strict=True):
        with column:
            with st.container(height="stretch"):  # so that the links stand on one line
                st.subheader(title)
                st.write(meaning)
            link()
