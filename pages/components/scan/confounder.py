"""Filling the form on Training with what the scan found."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.settings import parse_config, preset_settings
from pages.components.scan.view import View
from pages.components.shared.data import sources
from pages.components.shared.words import plain
from pages.components.training.form_state import clone_settings


def fill_training(view: View, name: str) -> None:
    """Open Training with an attribute as the confounder of the view's target, or say why that cannot be."""
    content = {**preset_settings("demo"), "target": view.judged.target, "confounder": name}
    if view.data in sources():
        content["data"] = view.data
    try:
        clone_settings(parse_config(content))
    except FairsalError as error:
        st.error(plain(error))
        return
    st.switch_page("pages/training.py")
