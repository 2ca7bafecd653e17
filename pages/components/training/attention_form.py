"""What every variant is explained by, on how many faces, against which region."""

from typing import Any

import streamlit as st

from fairsal_core.saliency import EXPLAINERS
from fairsal_core.settings import MAGNITUDE_TITLES, ExplainerChoice, region_title
from pages.components.shared.choice_form import choose_names, choose_settings

EXPLAINERS_KEY = "explainers"
_ROIS = ("auto", "region_map@0.7", "preset", "parts")


def choose_attention() -> dict[str, Any]:
    """Show explainers with their settings, faces and region of interest."""
    choose_names("Explainers", EXPLAINERS, EXPLAINERS_KEY, "integrated_gradients:steps=20")
    explainers = choose_settings(EXPLAINERS, ExplainerChoice, EXPLAINERS_KEY)
    columns = st.columns(3, vertical_alignment="bottom")
    count = columns[0].number_input(
        "Faces to explain", 4, 4096, step=4, key="explained_faces", help="Test faces, equally many of each subgroup."
    )
    roi = columns[1].selectbox(
        "Region of interest",
        list(dict.fromkeys([*_ROIS, st.session_state["attention_roi"] or "auto"])),
        key="attention_roi",
        accept_new_options=True,
        format_func=region_title,
        help="auto: the region map where the run has one, else the confounder's part masks, else its preset. "
        "`region_map@0.8` is what lies above that quantile, `30,84,60,24` a box: x, y, width, height in pixels of 128.",
    )
    magnitude = columns[2].selectbox(
        "Magnitude",
        ["per_image", "raw"],
        format_func=MAGNITUDE_TITLES.__getitem__,
        key="attention_magnitude",
        help="per_image scales each map by its largest value, as the paper does; raw keeps its strength.",
    )
    return {"explainers": explainers, "explained_faces": count, "roi": roi or "auto", "magnitude": magnitude}
