"""Every page runs inside the frame that `app.py` makes."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager


def inside_app() -> None:
    """Start again through `app.py` if streamlit opened the page by itself.

    Until `st.navigation` has run once in a server, streamlit takes a folder named `pages` for its older way of making
    multipage apps and opens a linked page without `app.py`, so without title, width and menu. There is no public switch.
    """
    if PagesManager.uses_pages_directory and "inside_app" not in st.session_state:
        st.session_state["inside_app"] = True  # once a session is enough, and a second rerun would swallow a click
        PagesManager.uses_pages_directory = False
        st.rerun()
