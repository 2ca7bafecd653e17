"""Attribution: where in faces, and on average, an attribute can be read off, and what the schemes would hide."""

import streamlit as st

from pages.components.attribution.all_attributes import all_attributes_section
from pages.components.attribution.calibration import calibration_section
from pages.components.attribution.controls import choose_quantile, choose_reading
from pages.components.attribution.face_maps import faces_section, map_faces
from pages.components.attribution.jobs import job_section
from pages.components.attribution.map_split import map_split_section
from pages.components.attribution.mean_maps import mean_maps_section
from pages.components.attribution.patches import patch_section
from pages.components.attribution.schemes import schemes_section
from pages.components.attribution.shared_places import shared_places_section
from pages.components.attribution.subjects import subjects_section
from pages.components.attribution.thumbnails import thumbnails_section
from pages.components.attribution.train_regions import train_regions_section
from pages.components.shared.data import choose_source
from pages.components.shared.first_faces import first_faces_or_stop
from pages.components.shared.frame import inside_app
from pages.components.shared.frame_note import frame_note
from pages.components.shared.label_note import label_note
from pages.components.shared.tour import tour_bar

inside_app()

st.title("Where does an attribute live?")
tour_bar()

progress = st.container()  # across the page, while faces are drawn and packed
controls, picture, beside = st.columns([24, 31, 27], gap="medium")
below = st.container()
with controls:
    source = choose_source()
    with progress:
        faces = first_faces_or_stop(source)
        frame_note(source, faces)
    with beside:
        quantile = choose_quantile()
    reading = choose_reading(source, faces, quantile)

if reading:
    mapped = map_faces(reading, picture)
    # One face leaves room beside it; several are shown in a row of their own.
    with picture if len(mapped) < 2 else below:
        faces_section(reading, mapped)
    with beside:
        hidden, patch = st.tabs(["What schemes hide", "One patch"], key="beside", bind="query-params")
        with hidden:
            schemes_section(reading, mapped)
        with patch:
            patch_section(reading, mapped)

with below:
    if reading:
        thumbnails_section(reading)
        subjects_section(reading, mapped)
        all_attributes_section(reading, mapped)
        if reading.is_of_these_faces:
            mean_maps_section(reading)
            shared_places_section(reading)
        else:
            st.caption("Mean maps, and with them general schemes, need photographs: choose a set of those.")
        calibration_section(reading.classifier)
        if reading.is_of_these_faces:
            map_split_section(reading)
    else:
        st.info("There is no region classifier to read these faces with. Train one here; an experiment makes its own.")
    train_regions_section(faces, source)
    job_section()
    label_note(source)
