"""What a page shows is in its link, by the names of code, which stay when titles change."""

from collections.abc import Collection, Mapping, Sequence

import streamlit as st


def link_choice(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    start: int = 0,
    names: Mapping[str, str] | None = None,
    help: str | None = None,  # as streamlit calls it
) -> str:
    """Show a choice that the link holds by its name in code, and return what was chosen; the link may also say its title.

    A selectbox that is bound to the link by itself would write titles there, and drop what the link calls by its name.
    """
    called = names or {}
    if st.session_state.get(key) not in options:
        wanted = st.query_params.get(key)
        named = next((name for name in options if wanted in (name, called.get(name))), None)
        st.session_state[key] = named or options[min(start, len(options) - 1)]
    chosen = str(st.selectbox(label, options, key=key, format_func=lambda name: called.get(name, name), help=help))
    st.query_params[key] = chosen
    return chosen


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


def keep_among(key: str, options: Collection[object]) -> None:
    """Let go of what a widget holds that is no option any more, such as a column of another set; call it before the widget."""
    held = st.session_state.get(key)
    if isinstance(held, list):
        if any(one not in options for one in held):
            st.session_state[key] = [one for one in held if one in options]
    elif held is not None and held not in options:
        del st.session_state[key]
