"""Mapping all faces of a split: the run that does it, and what it takes."""

import streamlit as st

from fairsal_core.settings import ATTRIBUTION, MapJob
from pages.components.attribution.jobs import begin_job
from pages.components.attribution.reading import Reading
from pages.components.shared.estimate import ask_cost
from pages.components.shared.words import plain


def map_split_section(reading: Reading) -> None:
    """Start the mapping of a whole split as a run, and say what it takes."""
    classifier, faces = reading.classifier, reading.faces
    with st.expander("Map a whole split"):
        splits = [split for split in ("test", "val", "train") if (faces.split == split).any()]
        split = st.segmented_control("Split", splits, default=splits[0], required=True, key="map_split")
        count = int((faces.split == split).sum())
        st.markdown(f"{count:,} faces with {plain(classifier.attribute)}. Stopped or killed, it goes on where it was.")
        job = MapJob(data=reading.source, attribute=classifier.attribute, measure=reading.measure, split=split)
        if st.button("Map them", key="start_maps", icon=":material/play_arrow:"):
            begin_job(ATTRIBUTION, job, f"maps of {classifier.attribute}, {split}")
        ask_cost(ATTRIBUTION, job, lambda source: faces, "maps_cost")
