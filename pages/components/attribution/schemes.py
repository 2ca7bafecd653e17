"""What a quantile selects of a map, and what each scheme makes of a face."""

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.pictures import portrait, to_bytes, with_filling_marked
from fairsal_core.regions import min_max
from fairsal_core.schemes import SCHEMES, hide, select_pixels
from fairsal_core.tensors import resident, to_unit
from pages.components.attribution.reading import Mapped, Reading
from pages.components.shared.rows import abreast, in_rows
from pages.components.shared.words import plain


def hidden_pixels(values: NDArray[np.floating], quantile: float) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that the schemes hide at this quantile of those that are not NaN; outlines go around them."""
    known = ~np.isnan(values)
    counted = values[known][None]  # a row, since what is not from the photo leaves a shape of its own
    scaled = np.ascontiguousarray(min_max(counted), dtype=np.float32)  # to [0, 1], as maps are before they select
    hidden = np.zeros(values.shape, dtype=bool)
    hidden[known] = select_pixels(torch.from_numpy(scaled), quantile).numpy()[0]
    return hidden


def schemes_section(reading: Reading, mapped: list[Mapped]) -> None:
    """Show the first face under each scheme; nothing where no face is mapped."""
    if not mapped:
        return
    one = mapped[0]
    maps = {"specific": one.pixels}
    if reading.is_of_these_faces:
        maps["general"] = np.where(one.from_photo, reading.mean_maps["all"].mean, np.nan)
    images = to_unit(resident(one.picked.pixels[None], torch.device("cpu")))
    with abreast("schemes", 2):
        places = list(in_rows([scheme for scheme in SCHEMES.values() if scheme.scope in maps], 2))
    for column, scheme in places:
        selected = torch.from_numpy(hidden_pixels(maps[scheme.scope], reading.quantile))
        treated = hide(images, selected, scheme, reading.mean_colour, torch.Generator().manual_seed(0))
        hidden = float((treated != images).any(dim=1)[0].numpy()[one.from_photo].mean())
        shown = with_filling_marked(to_bytes(treated[0].permute(1, 2, 0).numpy()), one.picked.outside)
        with column:
            st.image(
                portrait(shown),
                width="stretch",
                alt=f"{one.name} under {SCHEMES.title(scheme.name).lower()} at quantile {reading.quantile:g}",
            )
            changed = f" · {hidden:.0%} changed" if one.picked.is_face else ""
            if not selected.any():
                changed = " · the map is constant: it has no highest places, and nothing is hidden"
            st.caption(f"**{plain(SCHEMES.title(scheme.name))}**{changed}", help=plain(scheme.description))
