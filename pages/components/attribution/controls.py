"""The controls beside the maps: attribute, faces, quantile and measure."""

from pathlib import Path

import streamlit as st

from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError, sentence
from fairsal_core.experiments import available_regions
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import MEASURES, atlas_names, atlas_path
from pages.components.attribution.face_choice import are_photos, choose_faces
from pages.components.attribution.face_maps import choose_level
from pages.components.attribution.reading import Reading, classifier_of
from pages.components.shared.glossary import glossary
from pages.components.shared.links import link_choice
from pages.components.shared.words import explained, plain


def choose_quantile() -> float:
    """Show the quantile, beside what it hides."""
    return st.slider(
        "Quantile",
        0.05,
        0.95,
        0.7,
        0.05,
        key="quantile",
        bind="query-params",
        help="Pixels of the map above this quantile are outlined, and hidden by the schemes: 0.7 hides the top 30%.",
    )


def choose_reading(source: str, faces: FaceDataset, quantile: float) -> Reading | None:
    """Show the controls and return what they say; None where no region classifier is there for these faces yet."""
    paths = _region_classifiers(source, faces)
    if not paths:
        return None
    attribute = st.selectbox(
        "Attribute",
        list(paths),
        key="attribute",
        bind="query-params",
        help="What a *region classifier* looks for: it sees one 32-pixel patch and predicts a label of the whole face. How sure "
        "it is, patch by patch, shows where the attribute can be read off (De Coninck et al. 2024).",
    )
    try:
        classifier_of(paths[attribute], attribute)
    except (FairsalError, OSError) as error:
        st.error(plain(sentence(error)))
        return None
    picked = choose_faces(faces)
    with st.expander("Maps"):
        names = {name: MEASURES.title(name) for name in MEASURES}
        measure = link_choice("Confidence", list(MEASURES), "measure", names=names, help=explained(MEASURES))
        choose_level()
    glossary(
        "region classifier",
        "patch, position, grid",
        "confidence",
        "quantile",
        "scheme",
        "region map or attribution",
        "saliency",
    )
    return Reading(source, faces, picked, paths[attribute], attribute, measure, quantile)


def _region_classifiers(source: str, faces: FaceDataset) -> dict[str, Path]:
    """Return those there are for the faces to look at: photos are not drawn, so they get the atlas of real faces."""
    own = available_regions(faces, source)
    if not are_photos():
        return own
    atlas = dict.fromkeys(atlas_names(), atlas_path())
    return atlas if source == DEMO else atlas | own
