"""Starting a run that the Training page then shows."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.components.shared.begin import begin_run


def start_and_follow(kind: str, settings: Mapping[str, Any], name: str) -> None:
    """Start a run and show it on the Training page, which its link then names."""
    if begun := begin_run(kind, settings, name):
        st.query_params["run"] = begun
        st.session_state.pop("runs", None)
        st.rerun()
