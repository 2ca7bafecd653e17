"""Without a column: faces of one predicted class that are looked at alike; naming such a cluster makes it a cohort."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import find_subjects, said_of
from fairsal_core.mitigation import relevance_of_features
from fairsal_core.pictures import colour_map, data_url, over_face
from fairsal_core.regions import min_max
from fairsal_core.scan import FEWEST_MAPS, Clusters, cluster_table, clusters_of, clusters_of_features
from pages.components.scan.attention import Kept, kept_maps
from pages.components.scan.check import subject_named
from pages.components.scan.faces import TILE, face_tiles, keep_as_cohort
from pages.components.scan.view import View
from pages.components.shared.links import keep_among
from pages.components.shared.palette import COLOURS
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

_MAPS, _FEATURES = "maps", "features"
_ALIKE = {_MAPS: "where it looks", _FEATURES: "which features count"}


@in_one_sentence("Clusters")
def clusters_section(view: View) -> None:
    """Show clusters of the relevance maps within a predicted class."""
    st.subheader("What no column names")
    kept = kept_maps(view)
    if kept is None:
        return
    yes = st.segmented_control(
        "Faces that are called",
        [True, False],
        default=True,
        required=True,
        key="cluster_class",
        bind="query-params",
        format_func=lambda said: view.judged.target if said else f"not {view.judged.target}",
    )
    chosen = np.flatnonzero(((view.judged.yes[kept.places] > 0.5) == yes) & (kept.maps.max(axis=(1, 2)) > 0))
    if len(chosen) < FEWEST_MAPS:
        st.info(f"The run keeps maps of {len(chosen)} such faces; clusters need {FEWEST_MAPS}.")
        return
    places = kept.places[chosen]
    by = st.segmented_control(
        "Alike in",
        list(_ALIKE),
        default=_MAPS,
        required=True,
        key="cluster_by",
        bind="query-params",
        format_func=_ALIKE.__getitem__,
    )
    found = clusters_of(kept.maps[chosen]) if by == _MAPS else clusters_of_features(_features(view.key, view, places))
    if found.count == 1:
        st.info("These faces do not fall into clusters: it looks at all of them alike.")
        return
    table = cluster_table(found, view.judged.wrong[places], view.attributes.iloc[places])
    left, right = st.columns([2, 3])
    with left:
        st.plotly_chart(_scatter(found), width="stretch", key="cluster_embedding")
    with right:
        st.dataframe(_shown(table), hide_index=True, width="stretch", alt="Clusters of faces that are looked at alike")
        st.caption(
            "*error*: how often the cluster's faces are judged wrongly; *difference*: that less the error of the rest, with 95% "
            "intervals. *enriched*: up to three attributes that are more common in it. Enriched in none is the find: nobody "
            "named it."
        )
    keep_among("cluster_number", range(found.count))
    number = int(st.selectbox("Cluster", range(found.count), key="cluster_number", bind="query-params"))
    _one(view, kept, chosen, found, number)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the clusters with each interval in the cell of its number."""
    ends = {"error": ("error", "error_low", "error_high"), "difference": ("difference", "low", "high")}
    told = {
        name: [
            f"{value:.2f} [{low:.2f}, {high:.2f}]" for value, low, high in table[list(columns)].to_numpy(dtype=float)
        ]
        for name, columns in ends.items()
    }
    return table[["cluster", "n"]].assign(**told, enriched=table["enriched"])


@st.cache_data(max_entries=4, show_spinner="Looking at features …")
def _features(key: object, _view: View, places: np.ndarray) -> np.ndarray:
    """Return the features of the view's classifier weighted by their relevance, of these faces."""
    named = subject_named(_view)
    if named is None:
        raise FairsalError("The run keeps no weights of this classifier, so that its features are not known.")
    (subject,) = find_subjects([named])
    faces = _view.faces.take(places)
    kept = said_of(subject, faces).features
    return relevance_of_features(subject.load(), np.asarray(faces.take([0]).images), kept)


def _one(view: View, kept: Kept, chosen: np.ndarray, found: Clusters, number: int) -> None:
    members = np.flatnonzero(found.labels == number)
    mean = kept.maps[chosen[members]].mean(axis=0)
    white = np.full((*mean.shape, 3), 255, np.uint8)
    st.caption("The mean of its maps, and the faces nearest to it")
    with st.container(horizontal=True):
        with st.container(width=TILE):
            picture = data_url(over_face(colour_map(min_max(mean)), white))
            st.image(picture, width="stretch", alt=f"Mean map of cluster {number}")
        face_tiles(view, kept.places[chosen[found.nearest(number, 6)]])
    origin = f"cluster {number} of {_ALIKE[st.session_state['cluster_by']]}, {view.subject.name}"
    keep_as_cohort(view, kept.places[chosen[members]], plain(origin), key=f"cluster-{number}")


def _scatter(found: Clusters) -> go.Figure:
    figure = go.Figure()
    for number in range(found.count):
        points = found.embedding[found.labels == number]
        colour = COLOURS[number % len(COLOURS)]
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers",
            name=f"cluster {number}",
            marker={"color": colour, "size": 9},
        )
    figure.update_layout(height=320, margin={"l": 0, "r": 0, "t": 10, "b": 0}, legend={"orientation": "h"})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure
