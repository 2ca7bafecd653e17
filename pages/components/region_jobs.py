"""Long jobs of the Attribution page: training a region classifier, mapping a whole split. Both are runs."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import ATTRIBUTION, REGIONS, MapJob, RegionJob, checked_settings
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import NETWORKS, REGION_PRESETS, RegionClassifier, RegionTraining
from pages.components.begin import begin_run
from pages.components.watch import watch_run
from pages.components.words import describe_duration, plain

_JOB = "job"  # the run that this page shows, in its link


def map_section(
    classifier: RegionClassifier, faces: FaceDataset, source: str, measure: str, seconds_a_face: float
) -> None:
    """Say what mapping a whole split takes, and start it as a run."""
    with st.expander("Map a whole split"):
        splits = [split for split in ("test", "val", "train") if (faces.split == split).any()]
        split = st.segmented_control("Split", splits, default=splits[0], required=True, key="map_split")
        count = int((faces.split == split).sum())
        seconds, size = seconds_a_face * count, 2 * classifier.grid.count * count
        st.markdown(
            f"{count:,} faces with {classifier.attribute}: about **{describe_duration(seconds)}** and {size / 2**20:,.1f} MB "
            f"on disk, at {1 / seconds_a_face:,.3g} faces a second on this CPU. Stopped or killed, it goes on where it was."
        )
        if st.button("Map them", key="start_maps", icon=":material/play_arrow:"):
            job = MapJob(data=source, attribute=classifier.attribute, measure=measure, split=split)
            _begin(ATTRIBUTION, job, f"maps of {classifier.attribute}, {split}")


def training_section(faces: FaceDataset, source: str) -> None:
    """Offer to train a region classifier as a run."""
    with st.expander("Train a region classifier"):
        columns = st.columns(4)
        with columns[0]:
            attribute = st.selectbox("Attribute to predict", _varying(source, faces), key="region_attribute")
            preset = st.selectbox("Settings", list(REGION_PRESETS), key="region_preset", help="paper: weeks on a CPU.")
        base = RegionTraining(**REGION_PRESETS[preset])
        with columns[1]:
            networks = list(NETWORKS)
            network = st.selectbox(
                "Network", networks, index=networks.index(base.network), key=f"region_network_{preset}"
            )
            st.caption(NETWORKS[network].description)
        with columns[2]:
            images = st.number_input("Training faces", 2, value=base.images, key=f"region_images_{preset}")
            epochs = st.number_input("Epochs", 1, 1000, base.epochs, key=f"region_epochs_{preset}")
        with columns[3]:
            per_side = st.selectbox(
                "Positions along a side", [49, 25, 13], key="region_per_side", help="49 is the paper's."
            )
            scaled = st.checkbox("Temperature scaling", base.temperature_scaling, key="region_temperature")
        chosen = {
            "network": network,
            "images": images,
            "epochs": epochs,
            "per_side": per_side,
            "temperature_scaling": scaled,
        }
        if st.button("Train", key="start_regions", icon=":material/play_arrow:"):
            try:
                training = checked_settings(RegionTraining, {**base.model_dump(), **chosen})
            except FairsalError as error:
                st.error(plain(error))
                return
            _begin(REGIONS, RegionJob(data=source, attribute=attribute, training=training), f"regions of {attribute}")
            st.rerun()


@st.cache_data(max_entries=16, show_spinner=False)
def _varying(source: str, _faces: FaceDataset) -> list[str]:
    """Return the attributes that not all faces have alike."""
    return [str(name) for name in _faces.attributes.columns if _faces.attributes[name].nunique() > 1]


def _begin(kind: str, job: RegionJob | MapJob, name: str) -> None:
    if begun := begin_run(kind, job.model_dump(mode="json"), name):
        st.query_params[_JOB] = begun


def watch_job() -> None:
    """Show the run that this page's link names."""
    if _JOB in st.query_params:
        with st.container(border=True, key="job"):
            watch_run(st.query_params[_JOB])
