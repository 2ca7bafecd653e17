"""Six training faces as a scheme would show them to the classifier."""

from pathlib import Path

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.experiments import available_regions
from fairsal_core.faces import FaceDataset, biased_subset
from fairsal_core.pictures import portrait, to_bytes
from fairsal_core.regions import atlas_names, atlas_path, load_regions, mean_colour, pixel_maps, region_maps
from fairsal_core.schemes import find_scheme, hide, select_pixels
from fairsal_core.settings import ExperimentConfig, SchemeChoice, variant_title
from fairsal_core.tensors import resident, to_unit
from pages.components.shared.words import plain, told_variant

SHOWN, MEAN_OVER = 6, 60


def preview_section(config: ExperimentConfig, faces: FaceDataset) -> None:
    """Offer to look at six treated faces of the subset before anything runs."""
    if not config.schemes or not st.toggle("Preview six treated faces", key="preview"):
        return
    regions = available_regions(faces, config.data).get(config.confounder)
    if regions is None and config.confounder in atlas_names():
        regions = atlas_path()
        st.caption(
            "By the atlas of celebrities' photographs that comes with fairsal; the run trains its own on these faces."
        )
    if regions is None:
        st.caption(
            f"The region classifier of {plain(config.confounder)} is trained by the first run; then there is a preview."
        )
        return
    names = [choice.name for choice in config.schemes]
    name = st.segmented_control(
        "Scheme", names, default=names[0], required=True, format_func=told_variant, key="preview_scheme"
    )
    choice = next((one for one in config.schemes if one.name == name), config.schemes[0])
    subset = biased_subset(faces, config.target, config.confounder, config.counts).images[:MEAN_OVER]
    treated = treat(choice, subset, _maps(regions, config, subset))
    for column, image in zip(st.columns(SHOWN), treated, strict=False):
        column.image(portrait(image), width="stretch", alt=f"A training face under {variant_title(choice.name)}")
    st.caption(f"The mean map is over {len(subset)} training faces here, and over all of them in the run.")


def treat(choice: SchemeChoice, images: NDArray[np.uint8], maps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the first six images under a scheme; general ones use the mean of the maps (N, H, W)."""
    scheme = find_scheme(choice.scheme, choice.noise_domain)
    used = maps.mean(axis=0) if scheme.scope == "general" else maps[:SHOWN]
    selected = select_pixels(torch.from_numpy(np.ascontiguousarray(used, dtype=np.float32)), choice.quantile)
    batch = to_unit(resident(images[:SHOWN], torch.device("cpu")))
    generator = torch.Generator().manual_seed(0)
    treated = hide(batch, selected, scheme, mean_colour(images), generator)
    return to_bytes(treated.permute(0, 2, 3, 1).numpy())


def _maps(regions: Path, config: ExperimentConfig, images: NDArray[np.uint8]) -> NDArray[np.floating]:
    about = (config.data, config.target, config.confounder, config.counts.model_dump_json(), config.measure)
    return _maps_of(str(regions), about, images)


@st.cache_data(max_entries=8, show_spinner="Reading regions …")
def _maps_of(regions: str, about: tuple[str, ...], _images: NDArray[np.uint8]) -> NDArray[np.floating]:
    classifier = load_regions(Path(regions), about[2])
    return pixel_maps(region_maps(classifier, _images, about[-1]), classifier)
