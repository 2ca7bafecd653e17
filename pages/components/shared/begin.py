"""Starting a run from a page."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.runs import start
from pages.components.shared.words import plain


def begin_run(kind: str, settings: Mapping[str, Any], name: str) -> str | None:
    """Start a run and return its id, or say why it cannot be started."""
    try:
        return start(kind, dict(settings), name=name).name
    except FairsalError as error:
        st.error(plain(error))
        return None
