"""Mean maps: over all faces, over each class, and the difference of two, each with its standard error."""

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.regions import MapSummary, RegionClassifier
from fairsal_core.results import read_means
from fairsal_core.runs import list_runs
from fairsal_core.settings import ATTRIBUTION
from pages.components.attribution.downloads import offer_maps
from pages.components.attribution.reading import Reading
from pages.components.attribution.schemes import hidden_pixels
from pages.components.shared.overlay import diverging, overlay, sequential
from pages.components.shared.rows import abreast
from pages.components.shared.words import plain


@st.fragment
def mean_maps_section(reading: Reading) -> None:
    """Show mean maps of two groups of faces on one scale, and their difference."""
    st.subheader("Mean maps")
    classifier, measure, backdrop = reading.classifier, reading.measure, reading.mean_face
    sampled = reading.mean_maps
    found = {f"{sampled['all'].count:,} held-out faces": sampled} | _of_runs(classifier, reading.source, measure)
    with abreast("groups", 2):
        chosen, first_column, second_column = st.columns([2, 1, 1])
    with chosen:
        means = found[st.selectbox("Over", list(found), key="mean_over", bind="query-params")]
    groups = list(means)
    with first_column:
        first = st.selectbox("First", groups, index=0, key="first_mean", bind="query-params")
    with second_column:
        others = [name for name in groups if name != first] or groups
        second = st.selectbox("Second", others, index=len(others) - 1, key="second_mean", bind="query-params")
    pair = [means[first], means[second]]
    scale = sequential(min(float(one.mean.min()) for one in pair), max(float(one.mean.max()) for one in pair))
    with abreast("means", 2):
        columns = st.columns(3)
    for number, (name, one, column) in enumerate(zip((first, second), pair, columns, strict=False)):
        with column:
            st.markdown(f"**Mean map**, {plain(name)}")
            overlay(
                backdrop,
                one.mean,
                key="mean_overlay" if number == 0 else "second_mean_overlay",
                alt="Mean of the test faces",
                map_alt=f"Mean map of {classifier.attribute}, {name}, over {one.count} faces",
                scale=scale,
                selected=hidden_pixels(one.mean, reading.quantile),
            )
            st.caption(
                f"{one.count:,} faces, standard error at most {float(np.nanmax(one.standard_error)):.4f}."
                if one.count > 1
                else "One face."
            )
            offer_maps(
                backdrop, one.mean, None, scale, f"mean {classifier.attribute} {name} {measure}", f"mean-{number}"
            )
    with columns[2]:
        if first == "all" or second == "all" or first == second:
            st.markdown("**Difference**")
            st.info("Choose two classes to see the difference of their mean maps.")
        else:
            _difference(pair[0] - pair[1], f"{first} less {second}", backdrop, classifier, measure)
    with st.expander("As numbers"):
        st.dataframe(_table(means), hide_index=True)


def _difference(
    change: MapSummary, name: str, backdrop: NDArray[np.uint8], classifier: RegionClassifier, measure: str
) -> None:
    st.markdown(f"**Difference**, {plain(name)}")
    scale = diverging(float(np.abs(change.mean).max()))
    beyond = np.abs(change.mean) > 1.96 * change.standard_error
    overlay(
        backdrop,
        change.mean,
        key="difference_overlay",
        alt="Mean of the test faces",
        map_alt=f"Difference of the mean maps of {classifier.attribute}, {name}",
        scale=scale,
    )
    st.caption(
        f"Standard error at most {float(np.nanmax(change.standard_error)):.4f}; "
        f"{float(beyond.mean()):.0%} of the pixels differ by more than "
        "1.96 of theirs (each by itself, not corrected for how many there are)."
    )
    offer_maps(backdrop, change.mean, None, scale, f"difference {classifier.attribute} {name} {measure}", "difference")


def _of_runs(classifier: RegionClassifier, source: str, measure: str) -> dict[str, dict[str, MapSummary]]:
    """Return the mean maps that finished runs made of these faces with this attribute and measure."""
    found = {}
    for run in list_runs():
        wanted = {"data": source, "attribute": classifier.attribute, "measure": measure}
        if run.kind != ATTRIBUTION or run.status.state != "finished" or not wanted.items() <= dict(run.config).items():
            continue
        if means := read_means(run, classifier):
            found[f"{means['all'].count:,} faces of the {run.config['split']} split ({run.id})"] = means
    return found


def _table(means: dict[str, MapSummary]) -> pd.DataFrame:
    """Return, for each group, how many faces, and where and how high its mean map is."""
    rows = []
    for name, one in means.items():
        y, x = np.unravel_index(int(one.mean.argmax()), one.mean.shape)
        rows.append(
            {
                "faces": name,
                "n": one.count,
                "lowest": float(one.mean.min()),
                "mean": float(one.mean.mean()),
                "highest": float(one.mean.max()),
                "± at the highest": float(one.standard_error[y, x]),
                "highest at x": int(x),
                "highest at y": int(y),
            }
        )
    return pd.DataFrame(rows)
