"""Each face under its map."""

from collections.abc import Callable

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fairsal_core.drawing import DEMO
from fairsal_core.regions import MEASURES, RegionClassifier, atlas_path
from pages.components.attribution.downloads import offer_maps
from pages.components.attribution.face_choice import are_photos
from pages.components.attribution.patches import chosen_patch, opened_patch
from pages.components.attribution.reading import LONG_SECONDS, Mapped, Reading
from pages.components.attribution.schemes import hidden_pixels
from pages.components.attribution.shown_maps import Shown, choose_shown, legend_of, scale_control
from pages.components.shared.data import source_name
from pages.components.shared.overlay import Patches, overlay
from pages.components.shared.words import describe_duration, plain


def choose_level() -> None:
    """Show whether maps are of pixels or of patches."""
    st.segmented_control(
        "Map of",
        ["pixels", "patches"],
        default="pixels",
        required=True,
        key="level",
        bind="query-params",
        help="Each pixel is the mean of the patches that contain it; each patch is shown at its centre.",
    )


def map_faces(reading: Reading, place: DeltaGenerator) -> list[Mapped]:
    """Return the maps of the faces to look at; none where the reader has not asked, there, for what takes long."""
    count = len(reading.picked)
    wait = reading.seconds_a_face * count
    with place:
        if wait >= LONG_SECONDS and not st.toggle(
            f"Map {count} faces here: about {describe_duration(wait)}", key="wait", bind="query-params"
        ):
            return []
    return [reading.map_face(picked) for picked in reading.picked]


def faces_section(reading: Reading, mapped: list[Mapped]) -> None:
    """Show each face under its map, where a click on a cell opens the patch."""
    if not mapped:
        return
    scale_control(mapped)
    shown = choose_shown(mapped, reading.classifier, reading.measure)
    by_patch = st.session_state.get("level") == "patches"
    columns = st.columns(min(len(mapped), 3), gap="medium") if len(mapped) > 1 else [st.container()]
    for number, (one, over) in enumerate(zip(mapped, shown, strict=True)):
        with columns[number % len(columns)]:
            _show_face(reading, one, over, number, by_patch=by_patch)
    st.caption(_legend(reading, mapped, shown[0]))
    if are_photos():
        st.info(_trained_on(reading))


def _trained_on(reading: Reading) -> str:
    """Return what the region classifier knows of the world, for a reader who brings a photo."""
    classifier = reading.classifier
    count = classifier.data.get("train_faces")
    many = f"{count:,} " if isinstance(count, int) else ""
    if reading.path == atlas_path():
        return (
            f"This region classifier of {classifier.attribute} was trained on {many}aligned photographs of celebrities (CelebA, "
            "for non-commercial research). Other cameras, ages or peoples than there are in that set it may read wrongly."
        )
    if reading.source == DEMO:
        return (
            f"This region classifier of {classifier.attribute} was trained on {many}drawn faces and has never seen a photo: on "
            "one, its map only shows how the page works."
        )
    return (
        f"This region classifier of {classifier.attribute} was trained on {many}faces of {plain(source_name(reading.source))}; its "
        "map says what it learned there. Other cameras, ages or peoples than there are in that set it may read wrongly."
    )


def _legend(reading: Reading, mapped: list[Mapped], shown: Shown) -> str:
    """Return how to read the maps."""
    faces = [one for one in mapped if one.picked.is_face]
    said = [legend_of(shown)]
    if faces:
        said.append(
            f"Outlined: the top {1 - reading.quantile:.0%} of the pixels by {plain(MEASURES.title(reading.measure).lower())}."
        )
    if any(one.picked.outside is not None for one in mapped):
        said.append("Striped: not from the photo; no patch that lies there by more than half is counted.")
    said.append("Click a place, or move with the arrow keys and press Enter, to open its patch beside it.")
    return " ".join(said)


def _show_face(reading: Reading, one: Mapped, shown: Shown, number: int, *, by_patch: bool) -> None:
    classifier = reading.classifier
    label = reading.label_of(one.picked)
    st.markdown(f"**{plain(one.name)}**" + (f" · {plain(label)}" if label else ""))
    overlay(
        one.face,
        shown.picture(classifier.grid, by_patch=by_patch),
        key="face_overlay" if number == 0 else f"face_overlay_{number}",
        alt=f"Face {one.name}",
        map_alt=f"Map of {classifier.attribute} over {one.name}: {shown.what}",
        scale=shown.scale,
        selected=hidden_pixels(one.pixels, reading.quantile),
        patches=Patches(classifier.grid, shown.positions, chosen_patch(number), _opener(number)),
    )
    st.caption(_said_together(one, classifier))
    title = f"{one.name} {classifier.attribute} {shown.what}"
    offer_maps(one.face, shown.pixels, shown.positions, shown.scale, title, str(number))


def _opener(number: int) -> Callable[[int], None]:
    return lambda position: opened_patch(position, number)


def _said_together(one: Mapped, classifier: RegionClassifier) -> str:
    """Return what all patches of a face that count say by their mean log-probability."""
    if not one.picked.is_face:
        return "No face was found here, so nothing is said about the picture as a whole."
    mean = np.log(np.maximum(one.probabilities[one.counted], 1e-12)).mean(axis=0)
    vote = np.exp(mean - mean.max())
    vote /= vote.sum()
    winner = len(vote) - 1 if len(vote) == 2 else int(vote.argmax())
    return (
        f"All patches together say **{plain(classifier.classes[winner])}: {float(vote[winner]):.0%}**. "
        f"Base rate in training: {classifier.prior[winner]:.0%}."
    )
