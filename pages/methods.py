"""Methods: every formula, its source, what differs from the authors' code, and a miniature to try."""

import streamlit as st

from pages.components.methods.topic import choose_topic, formulas_section, miniature_section
from pages.components.shared.frame import inside_app

inside_app()

st.title("What is computed, and why so")

topic = choose_topic()
miniature_section(topic)
formulas_section(topic)
