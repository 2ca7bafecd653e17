"""Every page runs inside the frame that `app.py` makes."""

import gc
import sys
from contextlib import AbstractContextManager, nullcontext

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from pages.components.shared.turns import Turns

_HEAVY = ("attribution", "audit", "comparison", "scan")
_turns = Turns(2, seconds=20.0)  # several times what a page takes
_MANY = 100
_aside = 0  # how many modules were there when the collector was last told


def set_imports_aside() -> None:
    """Spare the garbage collector what libraries made on import, each time that many modules have come.

    Streamlit collects after every rerun. To walk through torch's objects alone takes a fifth of a second, and they are
    never garbage.
    """
    global _aside
    if len(sys.modules) >= _aside + _MANY:
        _aside = len(sys.modules)
        gc.freeze()


def in_turn(page: str) -> AbstractContextManager[object]:
    """Let only two at once draw a page that computes much.

    More would not be faster, since they take the interpreter's lock from each other; but they would take it from
    everyone who opens a light page too, and each needs memory of its own. A page that has not come to its end after some
    time, because it packs faces or because a disk does not answer, keeps nobody else waiting.
    """
    return _turns.one() if page in _HEAVY else nullcontext()


def end_turn() -> None:
    """Let others have the turn of this page, which is about to wait for what takes long."""
    _turns.end()


def inside_app() -> None:
    """Start again through `app.py` if streamlit opened the page by itself.

    Until `st.navigation` has run once in a server, streamlit takes a folder named `pages` for its older way of making
    multipage apps and opens a linked page without `app.py`, so without title, width and menu. There is no public switch.
    """
    if PagesManager.uses_pages_directory and "inside_app" not in st.session_state:
        st.session_state["inside_app"] = True  # once a session is enough, and a second rerun would swallow a click
        PagesManager.uses_pages_directory = False
        st.rerun()
