"""Things side by side, any number of them."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

Thing = TypeVar("Thing")


def in_rows(
    things: Sequence[Thing], across: int = 4, *, align: Literal["top", "bottom"] = "top"
) -> Iterator[tuple[DeltaGenerator, Thing]]:
    """Give each thing its column, in as many rows as they need; columns of all rows are equally wide."""
    for start in range(0, len(things), across):
        columns = st.columns(across, vertical_alignment=align)
        yield from zip(columns, things[start : start + across], strict=False)
