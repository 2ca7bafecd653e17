"""Links name an option as it is shown; what they called it in code still opens."""

from collections.abc import Collection, Sequence

import streamlit as st


def link_to_name(key: str, names: Collection[str]) -> None:
    """Begin the widget of this key with the option that the link calls by its name in code; call it before the widget."""
    if key not in st.session_state and (asked := st.query_params.get(key)) in names:
        st.session_state[key] = asked


def begin_with_linked(key: str, names: Collection[str]) -> None:
    """Begin the widget for several of these names with those that the link names."""
    if key not in st.session_state:
        st.session_state[key] = [name for name in st.query_params.get_all(key) if name in names]


def write_into_link(key: str, chosen: Sequence[str]) -> None:
    """Have the link name what was chosen by its names, where the widget shows titles that may change."""
    if st.query_params.get_all(key) == list(chosen):
        return
    if chosen:
        st.query_params[key] = list(chosen)
    else:
        st.query_params.pop(key, None)


def keep_among(key: str, options: Collection[str]) -> None:
    """Let go of what a widget holds that is no option any more, such as a column of another set; call it before the widget."""
    held = st.session_state.get(key)
    if isinstance(held, list):
        if any(one not in options for one in held):
            st.session_state[key] = [one for one in held if one in options]
    elif held is not None and held not in options:
        del st.session_state[key]
