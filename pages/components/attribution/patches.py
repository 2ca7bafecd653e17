"""One patch of one face: enlarged, its probabilities, its place; and the table that finds it without a pointer."""

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from fairsal_core.regions import RegionClassifier
from pages.components.attribution.all_attributes import told_by_patch
from pages.components.attribution.reading import Mapped, Reading

ENLARGED = 8
_CHOSEN = "patch_is_chosen"


def opened_patch(position: int, number: int) -> None:
    """Open a patch of the face of this number, from 0."""
    st.session_state["patch"] = position
    _choose_patch()
    st.session_state["patch_of"] = number + 1
    st.session_state["beside"] = "One patch"


def chosen_patch(number: int) -> int | None:
    """Return the position that is open of the face of this number, or None if another face's is."""
    return st.session_state.get("patch") if st.session_state.get("patch_of", 1) == number + 1 else None


def patch_section(reading: Reading, mapped: list[Mapped]) -> None:
    """Show the chosen patch, and the ways to choose one without a pointer; nothing where no face is mapped."""
    if not mapped:
        return
    classifier = reading.classifier
    patch_column, of_column = st.columns(2)
    number = 1
    if st.session_state.get("patch_of", 1) > len(mapped):
        st.session_state["patch_of"] = 1
    with of_column:
        if len(mapped) > 1:
            number = int(st.number_input("Of map", 1, len(mapped), key="patch_of", bind="query-params"))
    one = mapped[number - 1]
    with patch_column:
        position = _choose_position(one, classifier.grid.count)
    show_patch(one, position, classifier)
    if not one.picked.is_face:
        return
    told_by_patch(reading, one, position)
    with st.expander("All patches as a table"):
        table = patch_table(one, classifier)
        st.dataframe(table, hide_index=True, height=260, key=f"patches-{number}")


def _choose_position(one: Mapped, count: int) -> int:
    """Show the number of the patch: the most confident one, until the reader chooses, or the link does."""
    if "patch" not in st.session_state and "patch" in st.query_params:
        st.session_state[_CHOSEN] = True
    elif not st.session_state.get(_CHOSEN):
        st.session_state["patch"] = int(np.nanargmax(np.asarray(one.positions, dtype=np.float32)))
    if st.session_state.get("patch", 0) >= count:
        st.session_state["patch"] = 0
    label = f"Patch, 0 to {count - 1:,}"
    return int(st.number_input(label, 0, count - 1, key="patch", bind="query-params", on_change=_choose_patch))


def _choose_patch() -> None:
    st.session_state[_CHOSEN] = True


def patch_table(one: Mapped, classifier: RegionClassifier) -> pd.DataFrame:
    """Return all patches of a face that count, with their places and class probabilities, the most confident first."""
    count, side, stride = classifier.grid.count, classifier.grid.per_side, classifier.grid.stride
    rows, columns = np.divmod(np.arange(count), side)
    table = pd.DataFrame({"position": np.arange(count), "x": columns * stride, "y": rows * stride})
    table["confidence"] = np.asarray(one.positions, dtype=np.float64).ravel()
    for number, name in enumerate(classifier.classes):
        table[f"P({name})"] = one.probabilities.reshape(count, -1)[:, number]
    return table.dropna(subset="confidence").sort_values(
        "confidence", ascending=False, kind="stable", ignore_index=True
    )


def show_patch(one: Mapped, position: int, classifier: RegionClassifier) -> None:
    """Show the patch at a position enlarged, beside its probabilities and its place."""
    grid = classifier.grid
    x, y = grid.top_left(position)
    row, column = divmod(position, grid.per_side)
    size = grid.patch_size
    picture, place = st.columns([1, 2])
    with picture:
        enlarged = Image.fromarray(one.face[y : y + size, x : x + size])
        st.image(
            enlarged.resize((size * ENLARGED, size * ENLARGED), Image.Resampling.NEAREST),
            width="stretch",
            alt=f"Patch of {one.name} at x {x} to {x + size - 1}, y {y} to {y + size - 1}",
        )
    with place:
        st.markdown(
            f"**Patch {position}** · row {row}, column {column} · x {x} to {x + size - 1}, y {y} to {y + size - 1} of 128"
        )
        if not one.counted[row, column]:
            st.caption("More than half of it is not from the photo: it is not counted.")
            return
        if not one.picked.is_face:
            return
        st.caption(f"Confidence {float(one.positions[row, column]):.3f}.")
    chances = pd.DataFrame(
        {
            "class": classifier.classes,
            "this patch": one.probabilities[row, column].round(3),
            "base rate": np.round(classifier.prior, 3),
        }
    )
    bar = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small")
    st.dataframe(chances, hide_index=True, column_config={"this patch": bar, "base rate": bar})
