"""What the tour is, and its first step."""

import streamlit as st

from pages.components.shared.tour import STEPS, tour_link


def tour_section() -> None:
    """Show the steps of the tour, and where it begins."""
    st.subheader("A tour in five steps")
    st.markdown("On drawn faces and a finished example, in under five minutes, with the reason for each step.")
    st.markdown("\n".join(f"{number}. {step.title}" for number, step in enumerate(STEPS, 1)))
    tour_link(1, "Begin the tour", ":material/tour:")
