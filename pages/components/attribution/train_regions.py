"""Training a region classifier for an attribute, or an atlas of all: its settings, and the run that does it."""

import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import ALL
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import NETWORKS, REGION_PRESETS, RegionTraining
from fairsal_core.registry import as_words
from fairsal_core.settings import REGIONS, RegionJob, checked_settings
from pages.components.attribution.jobs import begin_job
from pages.components.shared.estimate import ask_cost
from pages.components.shared.settings_form import settings_form
from pages.components.shared.words import plain


def train_regions_section(faces: FaceDataset, source: str) -> None:
    """Offer to train a region classifier as a run."""
    with st.expander("Train a region classifier"):
        columns = st.columns(4)
        with columns[0]:
            attribute = st.selectbox(
                "Attribute to predict",
                [*_varying(source, faces), ALL],
                key="region_attribute",
                format_func=lambda name: "all: an atlas" if name == ALL else name,
                help="An atlas is one network for all attributes, and takes little longer than one of them.",
            )
            preset = st.selectbox(
                "Settings",
                list(REGION_PRESETS),
                key="region_preset",
                format_func=as_words,
                help="Paper: weeks on a CPU.",
            )
        base = RegionTraining(**REGION_PRESETS[preset])
        with columns[1]:
            networks = list(NETWORKS)
            network = st.selectbox(
                "Network",
                networks,
                index=networks.index(base.network),
                format_func=NETWORKS.title,
                key=f"region_network_{preset}",
            )
            st.caption(NETWORKS[network].description)
        with columns[2]:
            images = st.number_input("Training faces", 2, value=base.images, key=f"region_images_{preset}")
            epochs = st.number_input("Epochs", 1, 1000, base.epochs, key=f"region_epochs_{preset}")
        with columns[3]:
            per_side = st.selectbox(
                "Positions along a side", [49, 25, 13], key="region_per_side", help="49 is the paper's."
            )
        chosen = {
            "network": network,
            "images": images,
            "epochs": epochs,
            "per_side": per_side,
        }
        with st.popover("More settings", icon=":material/tune:"):
            more = settings_form(base, f"region_settings_{preset}", leave_out=chosen)
        try:
            training = checked_settings(RegionTraining, {**base.model_dump(), **chosen, **more})
        except FairsalError as error:
            st.error(plain(error))
            return
        job = RegionJob(data=source, attribute=attribute, training=training)
        if st.button("Train", key="start_regions", icon=":material/play_arrow:"):
            begin_job(REGIONS, job, "an atlas" if attribute == ALL else f"regions of {attribute}")
            st.rerun()
        ask_cost(REGIONS, job, lambda source: faces, "regions_cost")


@st.cache_data(max_entries=16, show_spinner=False)
def _varying(source: str, _faces: FaceDataset) -> list[str]:
    """Return the attributes that not all faces have alike."""
    own = [str(name) for name in _faces.attributes.columns if _faces.attributes[name].nunique() > 1]
    return list(dict.fromkeys([*own, *_faces.choices]))
