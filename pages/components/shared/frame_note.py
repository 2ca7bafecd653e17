"""A sentence on faces that are not in the frame that everything takes for granted."""

import streamlit as st

from fairsal_core.drawing import DEMO
from fairsal_core.faces import FaceDataset, frame_notice
from fairsal_core.home import cache_folder
from pages.components.shared.words import plain


def frame_note(source: str, faces: FaceDataset) -> None:
    """Say so where the faces of a set do not lie where CelebA's do; the drawn ones are drawn there."""
    if source == DEMO:
        return
    with st.spinner("Looking at some pictures …", show_time=False):
        notice = frame_notice(faces, cache_folder())
    if notice:
        st.warning(plain(notice))
