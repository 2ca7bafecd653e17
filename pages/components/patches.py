"""One patch of one face: enlarged, its probabilities, its place; and the table that finds it without a pointer."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from fairsal_core.regions import RegionClassifier

ENLARGED = 8


@dataclass(frozen=True)
class Mapped:
    """A face and its map: per position, per pixel in the measure's unit, and the class probabilities of each patch."""

    name: str
    face: NDArray[np.uint8]
    positions: NDArray[np.float16]
    pixels: NDArray[np.float32]
    probabilities: NDArray[np.float32]


def patch_table(one: Mapped, classifier: RegionClassifier) -> pd.DataFrame:
    """Return all patches of a face with their places and class probabilities, the most confident first."""
    count, side, stride = classifier.grid.count, classifier.grid.per_side, classifier.grid.stride
    rows, columns = np.divmod(np.arange(count), side)
    table = pd.DataFrame({"position": np.arange(count), "x": columns * stride, "y": rows * stride})
    table["confidence"] = np.asarray(one.positions, dtype=np.float64).ravel()
    for number, name in enumerate(classifier.classes):
        table[f"P({name})"] = one.probabilities.reshape(count, -1)[:, number]
    return table.sort_values("confidence", ascending=False, kind="stable", ignore_index=True)


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
