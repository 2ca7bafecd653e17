"""fairsal: navigation and page frame. Start it with `streamlit run app.py`."""

import streamlit as st

from pages.components.frame import in_turn, set_imports_aside
from pages.components.login import require_login

st.set_page_config(page_title="fairsal", page_icon="🔎", layout="wide")
require_login()
set_imports_aside()

# The dark theme's blue is light, to be read as text; the white names of chosen options need a dark one under them.
st.html("<style>[data-testid=stMultiSelectTagsContainer] [data-tag] { background-color: #2456a6 }</style>")

page = st.navigation(
    [
        st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
        st.Page("pages/attribution.py", title="Attribution", icon=":material/location_searching:"),
        st.Page("pages/training.py", title="Training", icon=":material/model_training:"),
        st.Page("pages/comparison.py", title="Comparison", icon=":material/balance:"),
        st.Page("pages/methods.py", title="Methods", icon=":material/function:"),
    ]
)
with in_turn(page.url_path):
    page.run()
