"""Attribution: where in one face, and on average, an attribute can be read off, and what the schemes would hide."""

from pathlib import Path

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import available_regions
from fairsal_core.faces import DEMO, FaceDataset, decode_image, to_square
from fairsal_core.regions import MEASURES, RegionClassifier, mean_colour, mean_map, pixel_maps, region_maps
from fairsal_core.schemes import SCHEMES, apply_scheme
from pages.components.data import choose_source, get_faces
from pages.components.frame import inside_app
from pages.components.notes import label_note
from pages.components.overlay import overlay
from pages.components.pictures import portrait, to_bytes
from pages.components.tour import tour_bar

MEAN_OVER = 200


@st.cache_resource(max_entries=16, show_spinner=False)
def load_regions(path: Path, changed: float) -> RegionClassifier:
    """Return a region classifier; a file that changed is another one."""
    return RegionClassifier.load(path)


@st.cache_data(max_entries=32, show_spinner="Averaging the maps of test faces …")
def average(source: str, path: Path, changed: float, measure: str) -> tuple[NDArray[np.float32], int]:
    """Return the mean pixel map over test faces, and over how many."""
    classifier = load_regions(path, changed)
    sample = get_faces(source).in_split("test").sample(MEAN_OVER)
    return pixel_maps(mean_map(region_maps(classifier, sample.images, measure)), classifier), len(sample)


@st.cache_data(show_spinner=False)
def set_colour(source: str) -> tuple[float, float, float]:
    """Return the mean colour of the faces, which masks are filled with."""
    return mean_colour(get_faces(source).sample(500).images)


def choose_face(faces: FaceDataset) -> tuple[NDArray[np.uint8], str] | None:
    """Return the face to look at and its name: from the test split, or uploaded; None after a bad upload."""
    origin = st.segmented_control("Face", ["From the set", "Upload"], default="From the set", key="origin")
    if origin == "Upload":
        upload = st.file_uploader("Portrait (PNG, JPEG or WebP)", type=["png", "jpg", "jpeg", "webp"], key="upload")
        if upload is None:
            st.info("Choose a picture. A portrait framed like a passport photo works best; it stays on this machine.")
            return None
        try:
            return to_square(decode_image(upload.getvalue(), upload.name)), upload.name
        except FairsalError as error:
            st.error(str(error))
            return None
    test = faces.in_split("test")
    number = st.number_input(
        f"Test face, 1 to {len(test):,}",
        1,
        len(test),
        1,
        key="face",
        bind="query-params",
        help="Arrow keys step through.",
    )
    chosen = test.take([int(number) - 1])
    return chosen.images[0], str(chosen.names[0])


inside_app()

st.title("Where does an attribute live?")
tour_bar()
st.markdown(
    "A *region classifier* sees one 32-pixel patch and predicts a label of the whole face. How confident it is, patch by patch, "
    "shows where the attribute can be read off (De Coninck et al. 2024)."
)

controls, view = st.columns([1, 3], gap="large")
with controls:
    source = choose_source("source")
    try:
        faces = get_faces(source)
    except FairsalError as error:
        st.error(str(error))
        st.stop()
    paths = available_regions(faces, source)
    if not paths:
        st.info(
            "There is no region classifier for these faces yet. Start an experiment on the Training page, or run "
            f"`python -m fairsal_core train-regions --data {source} --attribute Blond_Hair`."
        )
        st.page_link("pages/training.py", label="Open Training", icon=":material/model_training:")
        st.stop()
    attribute = st.selectbox("Attribute", list(paths), key="attribute", bind="query-params")
    picked = choose_face(faces)
    quantile = st.slider(
        "Quantile",
        0.05,
        0.95,
        0.7,
        0.05,
        key="quantile",
        bind="query-params",
        help="0.7 hides the top 30% of the pixels.",
    )
    measure = st.selectbox("Confidence", list(MEASURES), key="measure", bind="query-params")
    st.caption(MEASURES[measure].description)

path = paths[attribute]
changed = path.with_suffix(".json").stat().st_mtime
classifier = load_regions(path, changed)
mean, mean_of = average(source, path, changed, measure)

with view:
    original, over, average_column = st.columns(3)
    with average_column:
        st.markdown(f"**Mean map** · {mean_of} test faces")
        overlay(
            get_faces(source).in_split("test").sample(MEAN_OVER).images.mean(axis=0).astype(np.uint8),
            mean,
            key="mean_overlay",
            alt="Mean of the test faces",
            map_alt=f"Mean map of {attribute} over {mean_of} test faces",
        )
    if picked is None:
        label_note(source)
        st.stop()
    face, name = picked
    maps = region_maps(classifier, face[None], measure)
    pixel_map = pixel_maps(maps[0], classifier)
    with original:
        st.markdown(f"**{name}**")
        st.image(portrait(face), width="stretch", alt=f"Face {name}, scaled to 128 × 128 pixels")
        images = torch.from_numpy(face[None].copy()).permute(0, 3, 1, 2).float() / 255
        vote = classifier.logits(images).log_softmax(dim=-1).mean(dim=(0, 1, 2)).softmax(dim=-1)
        st.caption(
            f"All patches together say **{attribute}: {float(vote[1]):.0%}**. "
            f"Base rate in training: {classifier.prior[1]:.0%}."
        )
    with over:
        st.markdown(f"**{attribute}, this face**")
        overlay(face, pixel_map, key="face_overlay", alt=f"Face {name}", map_alt=f"Map of {attribute} over {name}")
        st.caption(
            f"Confidence {float(maps.min()):.2f} to {float(maps.max()):.2f}, scaled to 0 to 1. Brighter: the patch alone gives "
            "the attribute away."
        )
    if st.session_state.get("origin") == "Upload" and source == DEMO:
        st.info("This region classifier was trained on drawn faces; on a photo its map only shows how the page works.")

    st.subheader("What each scheme would hide")
    columns = st.columns(4)
    for column, scheme in zip(columns, SCHEMES.values(), strict=True):
        chosen = mean if scheme.scope == "general" else pixel_map[None]
        treated = apply_scheme(
            images,
            torch.from_numpy(np.ascontiguousarray(chosen)),
            scheme.name,
            quantile,
            fill=set_colour(source),
            generator=torch.Generator().manual_seed(0),
        )
        hidden = float((treated != images).any(dim=1).float().mean())
        with column:
            st.image(
                portrait(to_bytes(treated[0].permute(1, 2, 0).numpy())),
                width="stretch",
                alt=f"{name} under {scheme.name} at quantile {quantile:g}",
            )
            st.markdown(f"**{scheme.name}**")
            st.caption(f"{scheme.description} {hidden:.0%} of the pixels changed.")
    label_note(source)
