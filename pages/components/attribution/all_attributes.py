"""A face's atlas: what can be read off it of every attribute, as small maps of evidence, the most telling first."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
import torch
from numpy.typing import NDArray

from fairsal_core.pictures import diverging_map, over_face, portrait
from fairsal_core.regions import (
    LOWEST_AUC,
    Atlas,
    Head,
    PatchGrid,
    counted_pixel_map,
    evidence,
    is_atlas,
    open_atlas,
    to_pixel_map,
    uncounted_patches,
)
from fairsal_core.tensors import resident, to_unit
from pages.components.attribution.reading import Mapped, Reading
from pages.components.shared.rows import abreast, in_rows
from pages.components.shared.words import plain

_SHOWN = 12
_SHARE = 0.05  # of the patches: the single one that tells most may be the one that errs most
_LIMIT = 4.0  # bits, at which the colours end: sixteen times as likely


class Told(NamedTuple):
    """What a face's patches say of one attribute.

    `bits` (per_side, per_side) is the evidence for `name`, the class that the most telling patches speak for; NaN where a patch
    does not count. `most` is what these patches tell on average, in bits.
    """

    name: str
    bits: NDArray[np.float16]
    most: float


def all_attributes_section(reading: Reading, mapped: list[Mapped]) -> None:
    """Show small maps of the attributes that can be read off the first face; nothing where only one is known, or no face."""
    if not mapped or not mapped[0].picked.is_face or not is_atlas(reading.path):
        return
    one = mapped[0]
    told, unread = _told(one.picked.pixels, one.picked.outside, reading.path, changed_at(reading.path))
    st.subheader("What else can be read off this face")
    with abreast("attributes", 3):
        for column, each in in_rows(told[:_SHOWN], 6):
            pixels = _pixels(each.bits, one, reading.classifier.grid)
            colours = diverging_map(np.nan_to_num(pixels), _LIMIT)
            with column:
                st.image(
                    portrait(over_face(colours, one.face)),
                    width="stretch",
                    alt=f"Evidence for {each.name} over {one.name}: {each.most:.1f} bits in the patches that tell most",
                )
                st.caption(f"**{plain(each.name)}**  \n{each.most:.1f} bits")
    st.caption(
        f"Of each attribute the class that the {_SHARE:.0%} of patches that tell most speak for, and how many bits they tell on "
        f"average; what tells most stands first. Red: for that class; blue: against it; the colours end at {_LIMIT:g} bits. "
        + (f"Left out, as no patch tells them well on held-out faces (AUC below {LOWEST_AUC:g}): " if unread else "")
        + ", ".join(map(plain, unread))
        + ("." if unread else "")
    )


def _pixels(bits: NDArray[np.float16], one: Mapped, grid: PatchGrid) -> NDArray[np.float32]:
    values = bits.astype(np.float32)
    if one.picked.outside is None:
        return to_pixel_map(values, grid)
    return counted_pixel_map(values, ~one.counted, one.picked.outside, grid)


def changed_at(path: Path) -> float:
    return path.with_suffix(".json").stat().st_mtime


@st.cache_resource(max_entries=4, show_spinner=False)
def atlas_of(path: Path, changed: float) -> Atlas:
    """Return an atlas; a file that changed is another one."""
    return open_atlas(path)


def told_by_patch(reading: Reading, one: Mapped, position: int) -> None:
    """List every attribute that can be read off, by what the patch at a position tells of it; nothing where one is known."""
    if not is_atlas(reading.path):
        return
    row, column = divmod(position, reading.classifier.grid.per_side)
    if not one.counted[row, column]:
        return
    rows = []
    for head, own, bits in _heads_of(one.picked.pixels, reading.path, changed_at(reading.path)):
        told, number = own[row, column] @ bits[row, column], int(bits[row, column].argmax())
        rows.append((head.classes[number], float(told), float(bits[row, column, number])))
    rows.sort(key=lambda each: -each[1])
    st.markdown("**What this patch tells of every attribute**, the most first")
    st.dataframe(
        pd.DataFrame(rows, columns=["speaks for", "tells, bits", "for it, bits"]),
        hide_index=True,
        height=215,
        column_config=dict.fromkeys(("tells, bits", "for it, bits"), st.column_config.NumberColumn(format="%.2f")),
    )


class _Spoken(NamedTuple):
    """A head, its probabilities (per_side, per_side, C) of a face, and the evidence for each class in bits."""

    head: Head
    own: NDArray[np.float32]
    bits: NDArray[np.float32]


@st.cache_data(max_entries=8, scope="session", show_spinner="Reading every attribute …")
def _heads_of(face: NDArray[np.uint8], path: Path, changed: float) -> list[_Spoken]:
    """Return what every patch of a face says by the heads that can be read on held-out faces."""
    atlas = atlas_of(path, changed)
    with torch.inference_mode():
        chances = atlas.logits(to_unit(resident(face[None], atlas.device))).softmax(dim=-1)[0].cpu().numpy()
    heads = zip(atlas.heads, chances, strict=True)
    owns = [(head, each[..., : len(head.classes)]) for head, each in heads if can_be_read(head)]
    return [_Spoken(head, own, evidence(own, head.prior)) for head, own in owns]


def can_be_read(head: Head) -> bool:
    """Return whether a head tells its attribute at all on held-out faces."""
    return (head.metrics.get("auc") or 0.0) >= LOWEST_AUC


@st.cache_data(max_entries=64, scope="session", show_spinner=False)
def _told(
    face: NDArray[np.uint8], outside: NDArray[np.bool_] | None, path: Path, changed: float
) -> tuple[list[Told], list[str]]:
    """Return what is told of each attribute that can be read, the most first, and the names of those that cannot."""
    atlas = atlas_of(path, changed)
    left_out = None if outside is None else uncounted_patches(outside, atlas.grid)
    told = []
    for head, own, each in _heads_of(face, path, changed):
        bits = each.copy()
        tells = (own * bits).sum(axis=-1)  # of the base rates: Kullback and Leibler's divergence
        if left_out is not None:
            bits[left_out], tells[left_out] = np.nan, -np.inf
        counted = int(np.isfinite(tells).sum())
        most = np.argsort(tells, axis=None)[-max(round(_SHARE * counted), 1) :]
        number = int(bits.reshape(-1, bits.shape[-1])[most].mean(axis=0).argmax())
        told.append(Told(head.classes[number], bits[..., number].astype(np.float16), float(tells.flat[most].mean())))
    unread = [head.attribute for head in atlas.heads if not can_be_read(head)]
    return sorted(told, key=lambda one: -one.most), unread
