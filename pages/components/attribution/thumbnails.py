"""Picking a face by sight: held-out faces as thumbnails, by label and by how sure the region classifier is of them."""

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.faces import FaceDataset
from fairsal_core.pictures import portrait
from fairsal_core.regions import RegionClassifier
from fairsal_core.tensors import resident, to_unit
from pages.components.attribution.face_choice import are_photos
from pages.components.attribution.reading import Reading, classifier_of, held_out
from pages.components.shared.rows import abreast, in_rows
from pages.components.shared.words import plain

LOOKED_AT, SHOWN = 200, 16
_AT_ONCE = 20
_ORDERS = ("as they come", "surest first", "least sure first", "most mistaken first")


def thumbnails_section(reading: Reading) -> None:
    """Offer held-out faces to look at, by sight; nothing where photos are looked at."""
    if are_photos():
        return
    if not st.toggle("Pick a face by sight", key="by_sight", bind="query-params"):
        return
    pool = held_out(reading.faces)
    looked = pool.take(range(min(LOOKED_AT, len(pool))))
    labels, names = looked.classes(reading.attribute)
    of_class, order = st.columns(2)
    with of_class:
        wanted = st.segmented_control(
            f"Labelled, of {plain(reading.attribute)}",
            ["all", *names],
            default="all",
            required=True,
            key="sight_class",
            bind="query-params",
            wrap=True,
        )
    with order:
        by = st.segmented_control(
            "In this order",
            _ORDERS,
            default=_ORDERS[0],
            required=True,
            key="sight_order",
            bind="query-params",
            wrap=True,
        )
    rows = np.arange(len(looked))
    if wanted != "all":
        rows = rows[labels == names.index(str(wanted))]
    if by != _ORDERS[0]:
        votes = _votes(reading.source, len(reading.faces), reading.path, reading.attribute, looked)
        rows = rows[_placed(votes[rows], labels[rows], str(by))]
    _show(looked, rows[:SHOWN])
    st.caption(f"Of the first {len(looked):,} held-out faces; sure by what all patches together say.")


def _placed(votes: NDArray[np.float32], labels: NDArray[np.int64], by: str) -> NDArray[np.int64]:
    """Return the order of faces by their votes (N, C)."""
    if by == _ORDERS[3]:
        return np.argsort(np.where(labels >= 0, votes[np.arange(len(votes)), labels], np.inf), kind="stable")
    sure = votes.max(axis=1)
    return np.argsort(-sure if by == _ORDERS[1] else sure, kind="stable")


def _show(faces: FaceDataset, rows: NDArray[np.int64]) -> None:
    with abreast("sight", 3):
        for column, row in in_rows([int(row) for row in rows], 8):
            with column:
                _show_one(faces, row)


def _show_one(faces: FaceDataset, row: int) -> None:
    readable = faces.take([row]).readable
    if len(readable):
        small = portrait(readable.images[0]).resize((89, 109))
        st.image(small, width="stretch", alt=f"Test face {row + 1}")
    st.button(
        f"{row + 1}",
        key=f"sight-{row}",
        on_click=_pick,
        args=(row + 1,),
        help="Look at this face.",
        width="stretch",
    )


def _pick(number: int) -> None:
    st.session_state["face"] = number


@st.cache_data(max_entries=16, show_spinner="Reading faces …")
def _votes(source: str, size: int, path: Path, attribute: str, _faces: FaceDataset) -> NDArray[np.float32]:
    """Return what all patches of each face together say (N, C)."""
    classifier = classifier_of(path, attribute)
    starts = range(0, len(_faces), _AT_ONCE)
    return np.concatenate(
        [_votes_of(classifier, np.asarray(_faces.images[start : start + _AT_ONCE])) for start in starts]
    )


def _votes_of(classifier: RegionClassifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    logits = classifier.logits(to_unit(resident(images, classifier.device)))
    mean = logits.log_softmax(dim=-1).flatten(start_dim=1, end_dim=-2).mean(dim=1)
    votes: NDArray[np.float32] = mean.softmax(dim=-1).cpu().numpy()
    return votes
