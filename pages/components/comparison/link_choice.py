"""A choice that is part of the link."""

from collections.abc import Mapping

import streamlit as st


def link_choice(
    label: str, options: list[str], key: str, *, start: int = 0, names: Mapping[str, str] | None = None
) -> str:
    """Show a choice that is part of the link, and return what was chosen."""
    if st.session_state.get(key) not in options:
        wanted = st.query_params.get(key)
        st.session_state[key] = wanted if wanted in options else options[min(start, len(options) - 1)]
    chosen = str(st.selectbox(label, options, key=key, format_func=lambda name: (names or {}).get(name, name)))
    st.query_params[key] = chosen
    return chosen
