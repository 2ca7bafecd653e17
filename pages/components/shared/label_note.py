"""Sentences that every page owes its reader."""

import streamlit as st

from fairsal_core.drawing import DEMO


def label_note(source: str) -> None:
    """Say whose labels these are."""
    if source == DEMO:
        st.caption(
            "Labels are those the faces were drawn with. *Men* and *women* mean drawn with or without the cues of the "
            "label Male; nobody is depicted."
        )
        return
    st.caption(
        "Labels are the data set's annotations. *Men* and *women* mean annotated male or not: annotators' perception, "
        "not anyone's identity."
    )
