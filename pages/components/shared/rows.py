"""Things side by side, any number of them."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

Thing = TypeVar("Thing")


def abreast(name: str, across: Literal[2, 3]) -> DeltaGenerator:
    """Return a container whose columns stay side by side on a phone, this many in a row; `name` is its own on the page.

    Elsewhere a phone shows one column below the other, which makes screens of what is small. The style is in `app.py`.
    """
    return st.container(key=f"abreast{across}_{name}")


def in_rows(
    things: Sequence[Thing], across: int = 4, *, align: Literal["top", "bottom"] = "top"
) -> Iterator[tuple[DeltaGenerator, Thing]]:
    """Give each thing its column, in as many rows as they need; columns of all rows are equally wide."""
    for start in range(0, len(things), across):
        columns = st.columns(across, vertical_alignment=align)
        yield from zip(columns, things[start : start + across], strict=False)
