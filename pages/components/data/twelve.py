"""Twelve faces with their labels beside them."""

import pandas as pd
import streamlit as st

from fairsal_core.faces import FaceDataset, example_rows
from fairsal_core.pictures import portrait
from pages.components.shared.rows import abreast
from pages.components.shared.words import plain

ACROSS = 3
_MOST = 9


def twelve_faces_section(faces: FaceDataset) -> None:
    """Show twelve faces, evenly over the set, with what their rows say."""
    st.subheader("Twelve faces")
    rows = example_rows(faces)
    places = pd.Index(faces.names).get_indexer([row["picture"] for row in rows])
    for start in range(0, len(rows), ACROSS):
        for column, row, place in zip(
            st.columns(ACROSS), rows[start : start + ACROSS], places[start : start + ACROSS], strict=False
        ):
            with column.container(border=True, height="stretch"):
                with abreast(f"face-{place}", 3):
                    picture, labels = st.columns([1, 2])
                readable = faces.take([int(place)]).readable
                if len(readable):
                    picture.image(portrait(readable.images[0]), width="stretch", alt=f"Face {row['picture']}")
                else:
                    picture.caption("does not decode")
                labels.markdown(labels_of(row["labels"]))
                who = "" if row["identity"] is None else f" · person {row['identity']}"
                st.caption(f"{plain(row['picture'])} · {row['split']}{who}")


def labels_of(labels: dict[str, str]) -> str:
    """Return the labels of a face in words: what it has, its classes, what is missing; what it has not is left out.

    Examples
    --------
    >>> labels_of({"hat": "yes", "glasses": "no", "race": "Black", "age": "missing"})
    'hat · race: Black · age: missing'
    """
    said = [
        plain(name) if value == "yes" else f"{plain(name)}: {plain(value)}"
        for name, value in labels.items()
        if value != "no"
    ]
    more = f" · and {len(said) - _MOST} more" if len(said) > _MOST else ""
    return (" · ".join(said[:_MOST]) + more) or "*none of the labels*"
