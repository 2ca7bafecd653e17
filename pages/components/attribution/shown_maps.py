"""What is shown over a face: the evidence for and against a class, in bits, or how confident each patch is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.regions import MEASURES, PatchGrid, RegionClassifier, counted_pixel_map, evidence, to_pixel_map
from pages.components.attribution.reading import Mapped
from pages.components.shared.overlay import Scale, centred, diverging, sequential
from pages.components.shared.words import plain

EVIDENCE, CONFIDENCE = "for and against", "confidence"


@dataclass(frozen=True, eq=False)
class Shown:
    """What is shown over one face.

    Attributes
    ----------
    pixels, positions : array
        A value of each pixel (128, 128) and of each position; NaN where it is not from the photo.
    scale : Scale
        Its colours.
    what : str
        What the values are.
    """

    pixels: NDArray[np.float32]
    positions: NDArray[np.floating]
    scale: Scale
    what: str

    def picture(self, grid: PatchGrid, *, by_patch: bool) -> NDArray[np.float32]:
        """Return the values to show (128, 128): of pixels, or of each patch at its centre."""
        return centred(self.positions, grid) if by_patch else self.pixels


def choose_shown(mapped: Sequence[Mapped], classifier: RegionClassifier, measure: str) -> list[Shown]:
    """Show the choice of what to show, and return it for each face."""
    several = len(classifier.classes) > 2
    kind_column, class_column = st.columns(2) if several else (st.container(), None)
    with kind_column:
        kind = st.segmented_control(
            "Map over the face",
            [EVIDENCE, CONFIDENCE],
            default=EVIDENCE,
            required=True,
            key="shown_as",
            bind="query-params",
            help="For and against: how much more, or less, likely the class is given the patch alone, in bits; one bit is twice. "
            "Confidence: how much the patch says, whatever it says; it is what the schemes choose pixels by.",
        )
    if kind == CONFIDENCE:
        pixels = [one.pixels for one in mapped]
        positions: list[NDArray[np.floating]] = [one.positions for one in mapped]
        ends = [(float(np.nanmin(each)), float(np.nanmax(each))) for each in pixels]
        shared = (min(low for low, _ in ends), max(high for _, high in ends))
        scales = [sequential(*(shared if _share_a_scale(mapped) else own)) for own in ends]
        return list(map(Shown, pixels, positions, scales, [MEASURES.title(measure)] * len(mapped)))
    number = len(classifier.classes) - 1
    if class_column:
        with class_column:
            chosen = st.selectbox("Of", classifier.classes, key="evidence_class", bind="query-params")
            number = classifier.classes.index(chosen)
    both = [_evidence_of(one, classifier, number) for one in mapped]
    limits = [max(float(np.nanmax(np.abs(pixels))), 1e-3) for pixels, _ in both]
    scales = [diverging(max(limits) if _share_a_scale(mapped) else own) for own in limits]
    what = f"evidence for {classifier.classes[number]}"
    return [Shown(pixels, positions, scale, what) for (pixels, positions), scale in zip(both, scales, strict=True)]


def legend_of(shown: Shown) -> str:
    """Return how to read the colours."""
    if shown.what in map(MEASURES.title, MEASURES):
        return "Brighter: the patch alone gives the attribute away."
    return f"Red: {plain(shown.what)}; blue: against it; white: the patch says nothing. In bits."


def _evidence_of(
    one: Mapped, classifier: RegionClassifier, number: int
) -> tuple[NDArray[np.float32], NDArray[np.floating]]:
    """Return the evidence for a class of each pixel and each position, NaN where it is not from the photo."""
    bits = evidence(one.probabilities, classifier.prior)[..., number]
    if one.picked.outside is None:
        return to_pixel_map(bits, classifier.grid), bits
    uncounted = ~one.counted
    return counted_pixel_map(bits, uncounted, one.picked.outside, classifier.grid), np.where(uncounted, np.nan, bits)


def _share_a_scale(mapped: Sequence[Mapped]) -> bool:
    """Return whether maps have one scale for all, so that they can be compared, and not each its own."""
    return len(mapped) == 1 or st.session_state.get("scale", "shared") == "shared"


def scale_control(mapped: Sequence[Mapped]) -> None:
    """Show the choice of one scale for all maps, or each its own."""
    if len(mapped) > 1:
        st.segmented_control(
            "Colour scale",
            ["shared", "each its own"],
            default="shared",
            required=True,
            key="scale",
            bind="query-params",
        )
