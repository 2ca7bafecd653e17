"""Methods: every formula, its source, what differs from the authors' code, and a miniature to try."""

import streamlit as st

from pages.components.formulas import FORMULAS
from pages.components.frame import inside_app
from pages.components.miniatures import MINIATURES

inside_app()
# Streamlit cuts off what rises above a formula's line, such as the top of a fraction.
st.html("<style>.katex-display { padding: 0.4em 0 }</style>")

st.title("What is computed, and why so")

topic = st.segmented_control(
    "Topic", list(FORMULAS), default=next(iter(FORMULAS)), required=True, key="topic", bind="query-params", wrap=True
)

with st.container(border=True, key="miniature"):
    st.markdown("**Try it**")
    MINIATURES[topic]()

for formula in FORMULAS[topic]:
    st.subheader(formula.title)
    st.latex(formula.latex)
    st.markdown(formula.meaning)
    if formula.differs:
        st.info(f"**What differs.** {formula.differs}")
    st.caption(f"Source: {formula.source}")
