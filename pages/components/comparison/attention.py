"""What the classifiers look at, before and after: maps of the same faces, their means, the metrics, and the trade-off.

Everything is read from what the explain stage left in the run; another region of interest is measured from the kept maps.
"""

from functools import partial

import streamlit as st

from fairsal_core.results import Attention, check_attention, list_attention
from fairsal_core.settings import explainer_title, titles
from pages.components.comparison.attention_metrics import measured, metrics_section, sanity_note
from pages.components.comparison.audit import Audit
from pages.components.comparison.desk import Desk, Entry
from pages.components.comparison.explain_form import explain_form
from pages.components.comparison.explained import Explained, choose_region, explained_faces
from pages.components.comparison.hiding import hiding_by_group
from pages.components.comparison.saliency_maps import mean_maps, side_by_side
from pages.components.comparison.trade_off import trade_off_section
from pages.components.comparison.views import show_view
from pages.components.shared.hiding import TITLE as HIDING
from pages.components.shared.hiding import has_hidden, hidden_section
from pages.components.shared.links import link_choice
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain, told_variant


@st.fragment
@in_one_sentence("What the classifiers look at")
def attention_tab(desk: Desk) -> None:
    """Show whether attention left the region where the confounder lives."""
    audit = desk.audit
    found = list_attention(audit.run.path)
    for one in found:
        check_attention(one)
    if not found:
        hidden_section(audit.run)
    if not found and audit.run.config.get("predictions"):
        st.info(
            "These are predictions alone: there is no network to explain. What is said of accuracy and groups stands."
        )
        return
    if not found:
        st.info(
            "Nothing was explained in this run yet: explain its stored classifiers, and maps and numbers appear here."
        )
        explain_form(audit)
        return
    faces = explained_faces(audit, found[0].faces)
    by_name = {str(one.about["explainer"]): one for one in found}
    left, right = st.columns([1, 3], gap="large")
    with left:
        explainer = link_choice("Explainer", list(by_name), "explainer", names=titles(by_name, explainer_title))
        region = choose_region(audit, by_name[explainer], faces)
        if region is None:
            return
        explain_form(audit)
    with right:
        before, after = _pair(desk, by_name[explainer])
        explained = Explained(audit, by_name, explainer, faces, region, before, after)
        hiding = {HIDING: partial(hiding_by_group, audit)} if has_hidden(audit.run) else {}
        show_view(
            {
                "Face by face": partial(side_by_side, explained),
                "Mean maps": partial(mean_maps, explained),
                "Numbers": partial(_numbers, explained, found),
                "For the right reasons?": partial(_trade_off, explained),
                **hiding,
            },
            "attention_view",
        )


def _numbers(explained: Explained, found: list[Attention]) -> None:
    metrics_section(explained, measured(explained))
    sanity_note(found)


def _trade_off(explained: Explained) -> None:
    trade_off_section(explained, measured(explained))


def _pair(desk: Desk, attention: Attention) -> tuple[str, str]:
    """Return the page's reference and candidate, or what stands for one that has no maps here, with a sentence."""
    variants = [str(name) for name in attention.about["variants"]]
    before = _with_maps(desk.reference, desk.audit, variants, [])
    if desk.candidate is None:
        return before, before
    return before, _with_maps(desk.candidate, desk.audit, variants, [before])


def _with_maps(entry: Entry, audit: Audit, variants: list[str], taken: list[str]) -> str:
    if entry.audit.run.id == audit.run.id and entry.variant in variants:
        return entry.variant
    instead = next((name for name in variants if name not in taken), variants[0])
    st.info(
        f"No maps of *{plain(entry.label)}* are kept with this run; those of *{told_variant(instead)}* are shown instead."
    )
    return instead
