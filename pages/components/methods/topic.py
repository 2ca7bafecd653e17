"""One topic of the Methods page: a miniature to try, and the formulas it is about."""

import streamlit as st

from pages.components.methods.formulas import FORMULAS, formulas_of
from pages.components.methods.miniatures import MINIATURES


def choose_topic() -> str:
    """Show the topics and return the chosen one."""
    topics = list(FORMULAS)
    chosen = st.segmented_control(
        "Topic", topics, default=topics[0], required=True, key="topic", bind="query-params", wrap=True
    )
    return str(chosen)


def miniature_section(topic: str) -> None:
    """Show the topic's miniature."""
    with st.container(border=True, key="miniature"):
        st.markdown("**Try it**")
        MINIATURES[topic]()


def formulas_section(topic: str) -> None:
    """Show the topic's formulas: each with what it means, its source, and what differs from the authors' code."""
    # Streamlit cuts off what rises above a formula's line, such as the top of a fraction.
    st.html("<style>.katex-display { padding: 0.4em 0 }</style>")
    for formula in formulas_of(topic):
        st.subheader(formula.title)
        st.latex(formula.latex)
        st.markdown(formula.meaning)
        if formula.differs:
            st.info(f"**What differs.** {formula.differs}")
        if formula.source:
            st.caption(f"Source: {formula.source}")
