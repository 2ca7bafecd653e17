"""Which attributes live where another one lives: how alike their mean maps are, attribute by attribute."""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.faces import FaceDataset
from fairsal_core.regions import evidence, is_atlas
from fairsal_core.tensors import resident, to_unit
from pages.components.attribution.all_attributes import atlas_of, can_be_read, changed_at
from pages.components.attribution.reading import Reading, held_out
from pages.components.shared.words import in_chart, plain

FACES = 100
_AT_ONCE = 10


@st.fragment
def shared_places_section(reading: Reading) -> None:
    """Show the correlation of the mean maps of all attributes, those most like the chosen one in words; on demand."""
    if not is_atlas(reading.path):
        return
    st.subheader("Which attributes live where this one lives?")
    if not st.toggle(
        f"Compare the mean maps of all attributes over {FACES} held-out faces", key="shared_places", bind="query-params"
    ):
        return
    names, alike = _alike(reading.source, len(reading.faces), reading.path, changed_at(reading.path), reading.faces)
    if reading.attribute in names:
        own = names.index(reading.attribute)
        order = [other for other in np.argsort(-alike[own]) if other != own]
        said = ", ".join(f"{plain(names[other])} ({alike[own, other]:+.2f})" for other in order[:6])
        least = ", ".join(f"{plain(names[other])} ({alike[own, other]:+.2f})" for other in order[-3:])
        st.markdown(f"Where **{plain(reading.attribute)}** can be read off, so can {said}. Elsewhere live {least}.")
    st.plotly_chart(
        _matrix(names, alike),
        key="shared_places_matrix",
        alt="Correlations of the attributes' mean maps; numbers on hover",
    )
    st.caption(
        f"Pearson correlation, over the grid's positions, of how many bits a patch there tells on average over {FACES} held-out "
        "faces. Attributes that no patch tells well are left out."
    )


@st.cache_data(max_entries=8, show_spinner="Reading every attribute off held-out faces …")
def _alike(
    source: str, size: int, path: Path, changed: float, _faces: FaceDataset
) -> tuple[list[str], NDArray[np.float64]]:
    """Return attributes, in an order that puts alike ones side by side, and the correlations (A, A) of their mean maps."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    atlas = atlas_of(path, changed)
    images = held_out(_faces).sample(FACES).images
    heads = [number for number, head in enumerate(atlas.heads) if can_be_read(head)]
    total = np.zeros((len(heads), atlas.grid.count))
    for start in range(0, len(images), _AT_ONCE):
        batch = to_unit(resident(np.asarray(images[start : start + _AT_ONCE]), atlas.device))
        with torch.inference_mode():
            chances = atlas.logits(batch).softmax(dim=-1).cpu().numpy()
        for row, number in enumerate(heads):
            head = atlas.heads[number]
            own = chances[:, number][..., : len(head.classes)]
            total[row] += (own * evidence(own, head.prior)).sum(axis=(0, -1)).ravel()
    alike = np.asarray(np.corrcoef(total), dtype=np.float64).reshape(
        len(heads), len(heads)
    )  # of one alone it is a number
    order = leaves_list(linkage(total / np.linalg.norm(total, axis=1, keepdims=True), "average", "correlation"))
    return [atlas.heads[heads[number]].attribute for number in order], alike[np.ix_(order, order)]


def _matrix(names: list[str], alike: NDArray[np.float64]) -> Any:
    import plotly.express as px

    shown = [in_chart(name) for name in names]
    figure = px.imshow(alike, x=shown, y=shown, zmin=-1, zmax=1, color_continuous_scale="RdBu_r", height=680)
    figure.update_traces(hovertemplate="%{y} and %{x}: %{z:+.2f}<extra></extra>")
    figure.update_xaxes(tickangle=-60, tickfont={"size": 10})
    figure.update_yaxes(tickfont={"size": 10})
    return figure.update_layout(margin={"l": 0, "r": 0, "t": 8, "b": 0}, coloraxis_colorbar={"title": None})
