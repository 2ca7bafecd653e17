"""Attribution: where in faces, and on average, an attribute can be read off, and what the schemes would hide."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.experiments import available_regions, class_means
from fairsal_core.faces import DEMO, FaceDataset, decode_image
from fairsal_core.regions import (
    MEASURES,
    MapSummary,
    RegionClassifier,
    estimate_cost,
    mean_colour,
    min_max,
    region_maps,
    to_pixel_map,
)
from fairsal_core.schemes import SCHEMES, apply_scheme
from pages.components.calibration import calibration_section
from pages.components.crops import choose_crop
from pages.components.data import choose_source, get_faces
from pages.components.frame import inside_app
from pages.components.mean_maps import mean_maps_section
from pages.components.notes import label_note
from pages.components.overlay import Patches, Scale, centred, overlay, sequential
from pages.components.patches import Mapped, patch_table, show_patch
from pages.components.pictures import portrait, to_bytes
from pages.components.region_jobs import map_section, training_section, watch_job
from pages.components.takeaway import offer_maps
from pages.components.tour import tour_bar
from pages.components.words import describe_duration, plain

MEAN_OVER = 200
MOST_FACES = 6
_LONG_SECONDS = 20.0  # of mapping: what takes longer is asked for first


@st.cache_resource(max_entries=16, show_spinner=False)
def load_regions(path: Path, changed: float) -> RegionClassifier:
    """Return a region classifier; a file that changed is another one."""
    return RegionClassifier.load(path)


@st.cache_data(max_entries=32, show_spinner=False)
def seconds_a_face(path: Path, changed: float) -> float:
    """Return how long mapping one face takes, roughly."""
    return estimate_cost(load_regions(path, changed), 1).seconds


@st.cache_data(max_entries=32, show_spinner="Averaging the maps of held-out faces …")
def average(source: str, path: Path, changed: float, measure: str, count: int) -> dict[str, MapSummary]:
    """Return the mean pixel maps over held-out faces, of all and of each class."""
    classifier = load_regions(path, changed)
    sample = held_out(get_faces(source)).sample(count)
    means, counts = class_means(classifier, region_maps(classifier, sample.images, measure), sample)
    return {name: MapSummary(mean, error, counts[name]) for (mean, error), name in zip(means, counts, strict=True)}


@st.cache_data(max_entries=64, scope="session", show_spinner="Mapping …")
def map_face(face: NDArray[np.uint8], name: str, path: Path, changed: float, measure: str) -> Mapped:
    """Return a face's map and what each patch says."""
    classifier = load_regions(path, changed)
    positions = region_maps(classifier, face[None], measure)[0]
    logits = classifier.logits(torch.from_numpy(face[None].copy()).permute(0, 3, 1, 2).float() / 255)
    probabilities = logits.softmax(dim=-1)[0].cpu().numpy()
    return Mapped(name, face, positions, to_pixel_map(positions, classifier.grid), probabilities)


@st.cache_data(show_spinner=False)
def set_colour(source: str) -> tuple[float, float, float]:
    """Return the mean colour of the faces, which masks are filled with."""
    return mean_colour(get_faces(source).sample(500).images)


def held_out(faces: FaceDataset) -> FaceDataset:
    """Return the test split, or where a set has none, the validation split."""
    test = faces.in_split("test")
    return test if len(test) else faces.in_split("val")


def choose_faces(faces: FaceDataset) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return the faces to look at and their names: from the held-out split, or uploaded; none after a bad upload."""
    origin = st.segmented_control(
        "Face",
        ["From the set", "Upload"],
        default="From the set",
        required=True,
        key="origin",
        bind="query-params",
        wrap=True,
    )
    if origin == "Upload":
        return upload_faces()
    pool = held_out(faces)
    first = st.number_input(
        f"Test face, 1 to {len(pool):,}",
        1,
        len(pool),
        1,
        key="face",
        bind="query-params",
        help="Arrow keys step through.",
    )
    most = min(MOST_FACES, len(pool) - int(first) + 1)
    count = st.number_input("How many from there", 1, MOST_FACES, 1, key="shown", bind="query-params")
    chosen = pool.take([int(first) - 1 + step for step in range(min(int(count), most))])
    return list(zip(map(str, chosen.names), chosen.images, strict=True))


def upload_faces() -> list[tuple[str, NDArray[np.uint8]]]:
    """Return the uploaded photos, cropped as the reader wants them; one that cannot be used is named."""
    uploads = st.file_uploader(
        "Portraits (PNG, JPEG or WebP)",
        type=["png", "jpg", "jpeg", "webp"],
        key="upload",
        accept_multiple_files=True,
        help=f"Up to {MOST_FACES}.",
    )
    if not uploads:
        st.info("Choose a picture. A portrait framed like a passport photo works best; it stays on this machine.")
    found = []
    for number, upload in enumerate(uploads[:MOST_FACES], 1):
        try:
            picture = decode_image(upload.getvalue(), upload.name)
        except FairsalError as error:
            st.error(plain(error))
            continue
        found.append((upload.name, choose_crop(picture, upload.name, number)))
    return found


def choose_scale(mapped: list[Mapped]) -> list[Scale]:
    """Return the scale of each map: one for all, so that they can be compared, or each its own."""
    choice = "shared"
    if len(mapped) > 1:
        choice = str(
            st.segmented_control(
                "Colour scale",
                ["shared", "each its own"],
                default="shared",
                required=True,
                key="scale",
                bind="query-params",
            )
        )
    ends = [(float(one.pixels.min()), float(one.pixels.max())) for one in mapped]
    if choice == "shared":
        ends = [(min(low for low, _ in ends), max(high for _, high in ends))] * len(mapped)
    return [sequential(*pair) for pair in ends]


def show_faces(
    mapped: list[Mapped], classifier: RegionClassifier, measure: str, quantile: float
) -> AbstractContextManager[object]:
    """Show each face under its map, where a click on a cell opens the patch, and return the place to show that in."""
    level = st.segmented_control(
        "Map",
        ["pixels", "patches"],
        default="pixels",
        required=True,
        key="level",
        bind="query-params",
        help="Each pixel is the mean of the patches that contain it; each patch is shown at its centre.",
    )
    scales = choose_scale(mapped)
    columns = st.columns(2 if len(mapped) == 1 else min(len(mapped), 3), gap="medium")
    for number, (one, scale) in enumerate(zip(mapped, scales, strict=True)):

        def opened(position: int, number: int = number) -> None:
            st.session_state["patch"] = position
            st.session_state["patch_of"] = number + 1

        with columns[number % len(columns)]:
            st.markdown(f"**{plain(one.name)}**")
            chosen = st.session_state.get("patch") if st.session_state.get("patch_of", 1) == number + 1 else None
            overlay(
                one.face,
                centred(one.positions, classifier.grid) if level == "patches" else one.pixels,
                key="face_overlay" if number == 0 else f"face_overlay_{number}",
                alt=f"Face {one.name}",
                map_alt=f"Map of {classifier.attribute} over {one.name}",
                scale=scale,
                selected=one.pixels > np.quantile(one.pixels, quantile),
                patches=Patches(classifier.grid, one.positions, chosen, opened),
            )
            st.caption(said_together(one, classifier))
            offer_maps(
                one.face, one.pixels, one.positions, scale, f"{one.name} {classifier.attribute} {measure}", str(number)
            )
    st.caption(
        f"Brighter: the patch alone gives the attribute away. Outlined: the top {1 - quantile:.0%} of the pixels. Click a "
        "place, or move with the arrow keys and press Enter, to open its patch."
    )
    return columns[1] if len(mapped) == 1 else nullcontext()


def said_together(one: Mapped, classifier: RegionClassifier) -> str:
    """Return what all patches of a face say by their mean log-probability."""
    mean = np.log(np.maximum(one.probabilities, 1e-12)).mean(axis=(0, 1))
    vote = np.exp(mean - mean.max())
    vote /= vote.sum()
    winner = len(vote) - 1 if len(vote) == 2 else int(vote.argmax())
    return (
        f"All patches together say **{classifier.classes[winner]}: {float(vote[winner]):.0%}**. "
        f"Base rate in training: {classifier.prior[winner]:.0%}."
    )


def patch_section(mapped: list[Mapped], classifier: RegionClassifier) -> None:
    """Show the chosen patch, and the ways to choose one without a pointer."""
    st.subheader("One patch")
    count = classifier.grid.count
    patch_column, of_column = st.columns(2)
    number = 1
    if st.session_state.get("patch_of", 1) > len(mapped):
        st.session_state["patch_of"] = 1
    with of_column:
        if len(mapped) > 1:
            number = int(st.number_input("Of map", 1, len(mapped), key="patch_of", bind="query-params"))
    one = mapped[number - 1]
    if st.session_state.get("patch", 0) >= count:
        st.session_state["patch"] = 0
    if "patch" not in st.session_state and "patch" not in st.query_params:
        st.session_state["patch"] = int(np.asarray(one.positions, dtype=np.float32).argmax())
    with patch_column:
        position = int(st.number_input(f"Patch, 0 to {count - 1:,}", 0, count - 1, key="patch", bind="query-params"))
    show_patch(one, position, classifier)
    with st.expander("All patches as a table"):
        table = patch_table(one, classifier)
        st.dataframe(table, hide_index=True, height=260, key=f"patches-{number}")


def scheme_section(one: Mapped, mean: NDArray[np.float32], quantile: float, source: str) -> None:
    """Show a face under each scheme."""
    st.subheader("What each scheme would hide")
    images = torch.from_numpy(one.face[None].copy()).permute(0, 3, 1, 2).float() / 255
    for column, scheme in zip(st.columns(4), SCHEMES.values(), strict=True):
        chosen = min_max(mean) if scheme.scope == "general" else min_max(one.pixels)[None]
        treated = apply_scheme(
            images,
            torch.from_numpy(np.ascontiguousarray(chosen)),
            scheme.name,
            quantile,
            fill=set_colour(source),
            generator=torch.Generator().manual_seed(0),
        )
        hidden = float((treated != images).any(dim=1).float().mean())
        with column:
            st.image(
                portrait(to_bytes(treated[0].permute(1, 2, 0).numpy())),
                width="stretch",
                alt=f"{one.name} under {scheme.name} at quantile {quantile:g}",
            )
            st.markdown(f"**{scheme.name}**")
            st.caption(f"{scheme.description} {hidden:.0%} of the pixels changed.")


inside_app()

st.title("Where does an attribute live?")
tour_bar()
st.markdown(
    "A *region classifier* sees one 32-pixel patch and predicts a label of the whole face. How confident it is, patch by patch, "
    "shows where the attribute can be read off (De Coninck et al. 2024)."
)

progress = st.container()  # across the page, while faces are drawn and packed
controls, view = st.columns([1, 3], gap="large")
with controls:
    source = choose_source("source")
    try:
        with progress:
            faces = get_faces(source)
    except FairsalError as error:
        st.error(plain(error))
        st.stop()
    paths = available_regions(faces, source)
    if not paths:
        with view:
            st.info("There is no region classifier for these faces yet. Train one here; an experiment makes its own.")
            training_section(faces, source)
            watch_job()
            label_note(source)
        st.stop()
    attribute = st.selectbox("Attribute", list(paths), key="attribute", bind="query-params")
    picked = choose_faces(faces)
    quantile = st.slider(
        "Quantile",
        0.05,
        0.95,
        0.7,
        0.05,
        key="quantile",
        bind="query-params",
        help="0.7 hides the top 30% of the pixels.",
    )
    measure = st.selectbox("Confidence", list(MEASURES), key="measure", bind="query-params")
    st.caption(MEASURES[measure].description)

path = paths[attribute]
changed = path.with_suffix(".json").stat().st_mtime
classifier = load_regions(path, changed)
each = seconds_a_face(path, changed)

with view:
    mapped: list[Mapped] = []
    wait = each * len(picked)
    if picked and (
        wait < _LONG_SECONDS or st.toggle(f"Map {len(picked)} faces here: about {describe_duration(wait)}", key="wait")
    ):
        mapped = [map_face(face, name, path, changed, measure) for name, face in picked]
        beside = show_faces(mapped, classifier, measure, quantile)
        if st.session_state.get("origin") == "Upload" and source == DEMO:
            st.info(
                "This region classifier was trained on drawn faces; on a photo its map only shows how the page works."
            )
        with beside:
            patch_section(mapped, classifier)

    over = min(MEAN_OVER, max(int(_LONG_SECONDS / each), 2))
    means = average(source, path, changed, measure, over)
    if mapped:
        scheme_section(mapped[0], means["all"].mean, quantile, source)
    backdrop = held_out(faces).sample(MEAN_OVER).images.mean(axis=0).astype(np.uint8)
    mean_maps_section(means, backdrop, classifier, source, measure, quantile)
    calibration_section(classifier)
    map_section(classifier, faces, source, measure, each)
    training_section(faces, source)
    watch_job()
    label_note(source)
