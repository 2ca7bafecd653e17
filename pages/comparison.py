"""Comparison: the answer first, then what it rests on, and at the end a decision.

Each tab is a list of sections in a file of `components/comparison/`; only the open one is computed.
"""

import streamlit as st

from pages.components.comparison.accuracy_tab import accuracy_tab
from pages.components.comparison.attention import attention_tab
from pages.components.comparison.audit import audit_caption, choose_run, finished_or_stop, read_audit, standing_note
from pages.components.comparison.decide_tab import decide_tab
from pages.components.comparison.desk import choose_desk
from pages.components.comparison.gallery import gallery_section
from pages.components.comparison.review_mode import offer_review, review, review_step
from pages.components.comparison.summary import summary_tab
from pages.components.comparison.views import begin_tab
from pages.components.shared.frame import inside_app
from pages.components.shared.glossary import glossary
from pages.components.shared.label_note import label_note
from pages.components.shared.rows import abreast
from pages.components.shared.tour import tour_bar

TABS = {
    "Summary": summary_tab,
    "Accuracy": accuracy_tab,
    "Attention": attention_tab,
    "Faces": gallery_section,
    "Decide": decide_tab,
}

SHOWN_BY = {"face": "Faces", "roi": "Attention", "explainer": "Attention"}

inside_app()
begin_tab(SHOWN_BY)

st.title("Before and after, for each subgroup")
tour_bar()

runs = finished_or_stop()
with abreast("pickers", 2):
    pickers = st.columns([4, 3, 3, 2], vertical_alignment="bottom")
with pickers[0]:
    run = choose_run(runs)
audit = read_audit(run)
if audit is None:
    st.stop()
desk = choose_desk(audit, pickers[1:])
if step := review_step():
    review(desk, step)
    st.stop()
standing_note(audit)
with st.container(horizontal=True, vertical_alignment="center"):
    audit_caption(audit)
    glossary(
        "variant",
        "reference, candidate",
        "clean, treated",
        "worst cell",
        "aligned, conflicting cells",
        "shortcut gap",
        "gap",
        "φ",
        "impact ratio",
        "attention",
        "ROI",
        "RRF, HRF, MRR",
        "ADR, DIF, RDDT",
        "interval",
        "seed",
    )
    offer_review()
for tab, show in zip(st.tabs(list(TABS), key="tab", bind="query-params"), TABS.values(), strict=True):
    if tab.open:
        with tab:
            show(desk)
label_note(str(audit.run.config["data"]))
