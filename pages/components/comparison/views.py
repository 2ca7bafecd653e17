"""Views of one tab: a switch whose choice is in the link, and only the chosen one is computed."""

from collections.abc import Callable, Mapping

import streamlit as st


def show_view(views: Mapping[str, Callable[[], None]], key: str) -> None:
    """Show the switch between views and the chosen one; `key` is what the link calls it."""
    names = list(views)
    chosen = st.segmented_control(
        "View",
        names,
        default=names[0],
        required=True,
        key=key,
        bind="query-params",
        label_visibility="collapsed",
        wrap=True,
    )
    views[chosen or names[0]]()


def begin_tab(shown_by: Mapping[str, str]) -> None:
    """Open the tab that a link means which names what only one tab shows, but no tab."""
    if "tab" in st.session_state or "tab" in st.query_params:
        return
    for parameter, tab in shown_by.items():
        if parameter in st.query_params:
            st.session_state["tab"] = tab
            return
