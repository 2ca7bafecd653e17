"""Starting a run from a page."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import start
from pages.components.words import plain


def begin_run(kind: str, settings: Mapping[str, Any], name: str) -> str | None:
    """Start a run and return its id, or say why it cannot be started."""
    try:
        return start(kind, dict(settings), name=name).name
    except FairsalError as error:
        st.error(plain(error))
        return None


def begin_and_watch(kind: str, settings: Mapping[str, Any], name: str) -> None:
    """Start a run and show it on the Training page, which its link then names."""
    if begun := begin_run(kind, settings, name):
        st.query_params["run"] = begun
        st.session_state.pop("runs", None)
        st.rerun()
