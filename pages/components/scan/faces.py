"""The faces behind a number, and keeping them as a cohort."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.pictures import photo_url
from fairsal_core.scan import save_cohort
from pages.components.scan.view import View
from pages.components.shared.words import plain

SHOWN = 12
TILE = 128  # pixels


def faces_of_row(view: View, name: str, cell: str, members: NDArray[np.bool_]) -> None:
    """Show the faces of an attribute's worst cell that are judged wrongly, and offer to keep them."""
    wrong = np.flatnonzero(members & (view.judged.wrong > 0.5))
    st.markdown(
        f"**The faces behind it.** Worst cell: {plain(cell)}, {len(wrong):,} of {int(members.sum()):,} judged wrongly."
    )
    if not len(wrong):
        return
    show_faces(view, wrong[:SHOWN])
    keep_as_cohort(view, wrong, f"judged wrongly: {cell}, by {view.subject.name}", key=f"cell-{name}")


def show_faces(view: View, places: NDArray[np.int64]) -> None:
    """Show some faces with what was said of them."""
    with st.container(horizontal=True):  # which wraps: on a telephone two stand side by side
        face_tiles(view, places)


def face_tiles(view: View, places: NDArray[np.int64]) -> None:
    """Show a tile for each face, in whatever container is open."""
    for image, place in zip(view.faces.take(places).images, places, strict=True):
        name, right = str(view.judged.faces[place]), view.judged.wrong[place] <= 0.5
        with st.container(width=TILE):
            said = f"Face {name}, judged {'rightly' if right else 'wrongly'}"
            st.image(photo_url(image), width="stretch", alt=said)
            st.caption(f"{'✓' if right else '✗'} {plain(name)}")


def keep_as_cohort(view: View, places: NDArray[np.int64], origin: str, key: str) -> None:
    """Offer to save faces under a name: they can then be looked at by themselves, here and by a link."""
    with st.popover(f"Keep these {len(places):,} faces as a cohort", icon=":material/bookmark_add:"):
        name = st.text_input("Name", key=f"cohort-name-{key}", max_chars=60)
        if st.button("Save", key=f"cohort-save-{key}", disabled=not name.strip()):
            try:
                cohort = save_cohort(name, view.data, map(str, view.judged.faces[places]), origin)
            except FairsalError as error:
                st.error(plain(error))
                return
            st.success(f"Saved as *{plain(cohort.name)}*: choose it under *Faces* above.")
