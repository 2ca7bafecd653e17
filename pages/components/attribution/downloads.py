"""Maps and figures as files."""

import io
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fairsal_core.pictures import portrait
from pages.components.shared.overlay import Scale

_MARGIN, _BAR = 16, 14
_NO_VALUE = 104  # grey


def offer_maps(
    face: NDArray[np.uint8],
    pixels: NDArray[np.floating],
    positions: NDArray[np.floating] | None,
    scale: Scale,
    title: str,
    key: str,
) -> None:
    """Offer a map as numbers (NPY), as a picture (PNG), and as a figure with the face and the scale.

    Each file is made when it is asked for: to draw and compress them takes longer than everything else on the page.
    """
    stem = "".join(letter if letter.isalnum() else "_" for letter in title)
    with st.popover("Download", icon=":material/download:"):
        save = partial(st.download_button, on_click="ignore", width="stretch")
        save("Pixel map (NPY)", partial(as_npy, pixels), f"{stem}_pixels.npy", key=f"npy-{key}")
        if positions is not None:
            save("Patch map (NPY)", partial(as_npy, positions), f"{stem}_patches.npy", key=f"npy-patches-{key}")
        save(
            "Map (PNG)",
            lambda: as_png(portrait(_coloured(pixels, scale))),
            f"{stem}_map.png",
            "image/png",
            key=f"png-{key}",
        )
        save(
            "Figure (PNG)",
            lambda: as_png(figure(face, pixels, scale, title)),
            f"{stem}_figure.png",
            "image/png",
            key=f"figure-{key}",
        )


def as_npy(values: NDArray[np.floating]) -> bytes:
    """Return an array as the content of an NPY file, float32."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values, dtype=np.float32))
    return buffer.getvalue()


def as_png(picture: Image.Image) -> bytes:
    """Return a picture as the content of a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _coloured(values: NDArray[np.floating], scale: Scale) -> NDArray[np.uint8]:
    """Return the map's colours (H, W, 3), grey where there is no value."""
    known = ~np.isnan(values)
    return np.where(known[..., None], scale.colours(np.where(known, values, scale.low)), _NO_VALUE).astype(np.uint8)


def figure(face: NDArray[np.uint8], pixels: NDArray[np.floating], scale: Scale, title: str) -> Image.Image:
    """Return face, map and the two together side by side, over the colour scale with its numbers."""
    colours = _coloured(pixels, scale)
    both = Image.blend(portrait(face), portrait(colours), 0.6)
    panels = [portrait(face), portrait(colours), both]
    width, height = panels[0].size
    page = Image.new("RGB", (3 * width + 4 * _MARGIN, height + 4 * _MARGIN + _BAR + 20), "white")
    for number, panel in enumerate(panels):
        page.paste(panel, (_MARGIN + number * (width + _MARGIN), _MARGIN))
    pen = ImageDraw.Draw(page)
    top = height + 2 * _MARGIN
    bar = Image.fromarray(scale.bar).resize((width, _BAR))
    page.paste(bar, (2 * _MARGIN + width, top))
    pen.text((2 * _MARGIN + width, top + _BAR + 2), f"{scale.low:.3f}", fill="black", font_size=14)
    pen.text((2 * _MARGIN + 2 * width, top + _BAR + 2), f"{scale.high:.3f}", fill="black", font_size=14, anchor="ra")
    pen.text((_MARGIN, top), title, fill="black", font_size=14)
    return page
