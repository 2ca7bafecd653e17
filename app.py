"""fairsal: navigation and page frame. Start it with `streamlit run app.py`."""

import streamlit as st

from pages.components.shared.frame import in_turn, set_imports_aside
from pages.components.shared.login import require_login

st.set_page_config(page_title="fairsal", page_icon="🔎", layout="wide")
require_login()
set_imports_aside()

# The dark theme's blue is light, to be read as text; the white names of chosen options and of the first
# button need a dark one under them.
# Above the title it leaves 96 pixels for a toolbar that is hardly there, beside it 80; and its menu of six words is 300 wide.
# On a phone columns lie one below the other; small pictures and numbers stay side by side, and five panels are scrolled.
# Plotly's bar of buttons lies over a chart's title, and a double click does what most of them do.
# Streamlit's own download writes cells as they are, and a spreadsheet reads "=..." as a formula: ours are escaped.
st.html(
    "<style>[data-testid=stMultiSelectTagsContainer] [data-tag] { background-color: #2456a6 }"
    "[data-testid=stBaseButton-primary]:enabled { background-color: #2456a6; border-color: #2456a6 }"
    "[data-testid=stMainBlockContainer] { padding: 1.25rem clamp(1rem, 2.5vw, 3rem) 3rem }"
    "[data-testid=stMainBlockContainer] h1 { font-size: 1.75rem; padding: 0.25rem 0 0.5rem }"
    "[data-testid=stMainBlockContainer] h2, [data-testid=stMainBlockContainer] h3 { font-size: 1.25rem; padding: 0.5rem 0 0.25rem }"
    "[data-testid=stSidebar][data-collapsed=false] { width: 200px !important; min-width: 200px !important }"
    "[data-testid=stSidebarHeader] { height: 2rem }"
    "@media (max-width: 640px) { [data-testid=stMainBlockContainer] { padding-top: 3rem }"
    "[class*=st-key-abreast2] [data-testid=stColumn] { min-width: calc(50% - 1rem); flex-basis: calc(50% - 1rem) }"
    "[class*=st-key-abreast3] [data-testid=stColumn] { min-width: calc(33% - 1rem); flex-basis: calc(33% - 1rem) }"
    "[class*=st-key-abreast] [data-testid=stHorizontalBlock] { gap: 0.75rem }"
    ".st-key-panels { overflow-x: auto } .st-key-panels > :first-child { min-width: 660px }"
    ".katex-display > .katex { white-space: normal; font-size: 0.8em } .katex .base { margin: 0.2em 0 } }"
    ".modebar-container { display: none }"
    "button[aria-label^='Download as CSV'] { display: none }</style>"
)

page = st.navigation(
    [
        st.Page("pages/start.py", title="Start", icon=":material/home:", default=True),
        st.Page("pages/data.py", title="Data", icon=":material/dataset:"),
        st.Page("pages/attribution.py", title="Attribution", icon=":material/location_searching:"),
        st.Page("pages/training.py", title="Training", icon=":material/model_training:"),
        st.Page("pages/audit.py", title="Audit", icon=":material/fact_check:"),
        st.Page("pages/comparison.py", title="Comparison", icon=":material/balance:"),
        st.Page("pages/scan.py", title="Scan", icon=":material/radar:"),
        st.Page("pages/methods.py", title="Methods", icon=":material/function:"),
    ]
)
with in_turn(page.url_path):
    page.run()
