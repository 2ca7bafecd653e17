"""Mapping all faces of a split: what it takes, and the run that does it."""

import streamlit as st

from fairsal_core.settings import ATTRIBUTION, MapJob
from pages.components.attribution.jobs import begin_job
from pages.components.attribution.reading import Reading
from pages.components.shared.estimate import ask_cost
from pages.components.shared.words import describe_duration, plain


def map_split_section(reading: Reading) -> None:
    """Say what mapping a whole split takes, and start it as a run."""
    classifier, faces = reading.classifier, reading.faces
    with st.expander("Map a whole split"):
        splits = [split for split in ("test", "val", "train") if (faces.split == split).any()]
        split = st.segmented_control("Split", splits, default=splits[0], required=True, key="map_split")
        count = int((faces.split == split).sum())
        seconds, size = reading.seconds_a_face * count, 2 * classifier.grid.count * count
        st.markdown(
            f"{count:,} faces with {plain(classifier.attribute)}: about **{describe_duration(seconds)}** and "
            f"{size / 2**20:,.1f} MB on disk, at {1 / reading.seconds_a_face:,.3g} faces a second on this CPU. Stopped or killed, "
            "it goes on where it was."
        )
        job = MapJob(data=reading.source, attribute=classifier.attribute, measure=reading.measure, split=split)
        if st.button("Map them", key="start_maps", icon=":material/play_arrow:"):
            begin_job(ATTRIBUTION, job, f"maps of {classifier.attribute}, {split}")
        ask_cost(ATTRIBUTION, job, lambda source: faces, "maps_cost")
