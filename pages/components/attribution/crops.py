"""How an uploaded photo becomes a face of 128 x 128: shown, and adjustable."""

from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fairsal_core.faces import aligned_crop, to_square

_SHOWN = 360  # pixels on the longer side
Box = tuple[int, int, int, int]


def crop_box(width: int, height: int, zoom: float, across: float, down: float) -> Box:
    """Return a box (left, top, right, bottom) of CelebA's shape inside a picture.

    Parameters
    ----------
    width, height : int
        Of the picture, in pixels.
    zoom : float
        1 is the largest box, 2 one of half its side.
    across, down : float
        Where it lies in the room there is: 0 left or top, 0.5 centred, 1 right or bottom.

    Examples
    --------
    >>> crop_box(400, 218, 1, 0.5, 0.5), crop_box(400, 218, 2, 0, 1)
    ((111, 0, 289, 218), (0, 109, 89, 218))
    """
    left, top, right, bottom = aligned_crop(width, height)
    box_width, box_height = max(round((right - left) / zoom), 1), max(round((bottom - top) / zoom), 1)
    left, top = round((width - box_width) * across), round((height - box_height) * down)
    return left, top, left + box_width, top + box_height


def choose_crop(picture: Image.Image, name: str, number: int) -> tuple[NDArray[np.uint8], Box]:
    """Show a photo with the part that is used framed, let it be adjusted, and return that part (128, 128, 3) and its box.

    How the upload of this number is cropped is in the link; the photo is not, and never will be.
    """
    shown = st.container()
    slider = partial(st.slider, bind="query-params")
    zoom = slider("Zoom", 1.0, 5.0, 1.0, 0.05, key=f"zoom_{number}", help="Eyes a little above the middle work best.")
    across = slider("Left to right", 0.0, 1.0, 0.5, 0.01, key=f"across_{number}")
    down = slider("Top to bottom", 0.0, 1.0, 0.5, 0.01, key=f"down_{number}")
    box = crop_box(*picture.size, zoom, across, down)
    with shown:
        st.image(framed(picture, box), width="stretch", alt=f"{name} with the part that is used framed")
        st.caption(f"x {box[0]} to {box[2]}, y {box[1]} to {box[3]} of {picture.width} × {picture.height} pixels.")
    return to_square(picture.crop(box)), box


def framed(picture: Image.Image, box: Box) -> Image.Image:
    """Return a small copy with everything outside of the box darkened."""
    scale = min(_SHOWN / max(picture.size), 1)
    small = picture.resize((max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)))
    inside = [round(edge * scale) for edge in box]
    dark = Image.blend(small, Image.new("RGB", small.size), 0.6)
    dark.paste(small.crop((inside[0], inside[1], inside[2], inside[3])), (inside[0], inside[1]))
    ImageDraw.Draw(dark).rectangle((inside[0], inside[1], inside[2] - 1, inside[3] - 1), outline="white", width=2)
    return dark
