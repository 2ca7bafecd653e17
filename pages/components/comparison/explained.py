"""What the sections on attention are about: the explainers of a run, one of them, a region, and two variants."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.errors import FairsalError
from fairsal_core.faces import PART_OF, AnyRoi, FaceDataset, roi_area
from fairsal_core.results import Attention, find_roi, region_withheld
from fairsal_core.runs import RunFiles, is_there
from fairsal_core.settings import RoiChoice
from pages.components.comparison.audit import Audit
from pages.components.comparison.roi_editor import SIDE, choose_roi, roi_figure
from pages.components.shared.data import get_faces_of
from pages.components.shared.words import plain


@dataclass(frozen=True)
class Region:
    """The region of interest that was chosen.

    Attributes
    ----------
    choice : RoiChoice
        Where it is from.
    roi : Roi or the like
        What maps are measured against.
    masks : array, (128, 128) or (N, 128, 128) bool
        Its pixels: the same for all faces, or those of each.
    """

    choice: RoiChoice
    roi: AnyRoi
    masks: NDArray[np.bool_]

    @property
    def shared(self) -> NDArray[np.bool_]:
        """The pixels (128, 128) that it has in most faces."""
        return self.masks if self.masks.ndim == 2 else np.asarray(self.masks.mean(axis=0) > 0.5)

    def of_face(self, row: int) -> NDArray[np.bool_]:
        """Return its pixels (128, 128) in one face."""
        return self.masks if self.masks.ndim == 2 else self.masks[row]


@dataclass(frozen=True)
class Explained:
    """What is looked at.

    Attributes
    ----------
    audit : Audit
        The run the page is about.
    found : mapping of str to Attention
        What each of its explainers left.
    explainer : str
        The one whose maps are shown.
    faces : FaceDataset or None
        The faces whose maps are kept; None where they cannot be shown.
    region : Region
        What the maps are measured against.
    before, after : str
        Two variants.
    """

    audit: Audit
    found: Mapping[str, Attention]
    explainer: str
    faces: FaceDataset | None
    region: Region
    before: str
    after: str

    @property
    def attention(self) -> Attention:
        """What the explainer left whose maps are shown."""
        return self.found[self.explainer]


def explained_faces(audit: Audit, names: list[str]) -> FaceDataset | None:
    """Return the faces whose maps are kept, or None where the data is gone: maps are then shown without them."""
    try:
        faces = get_faces_of(audit.run)
    except FairsalError as error:
        st.warning(f"The faces themselves cannot be shown: {plain(error)}")
        return None
    rows = faces.names.get_indexer(pd.Index(names))
    if (rows < 0).any():
        st.warning("The faces themselves cannot be shown: they are no longer in the data.")
        return None
    return faces.take(rows)


def faces_of(attention: Attention, faces: FaceDataset | None) -> FaceDataset | None:
    """Return the faces that this explainer's maps are of: explainers may have seen different numbers of them."""
    if faces is None or list(faces.names) == attention.faces:
        return faces
    rows = faces.names.get_indexer(pd.Index(attention.faces))
    return None if (rows < 0).any() else faces.take(rows)


def choose_region(audit: Audit, attention: Attention, faces: FaceDataset | None) -> Region | None:
    """Show the choice of region and where it lies; None, and a sentence, where there is no such region."""
    if why := region_withheld(audit.run.path, audit.confounder):
        st.warning(plain(why))
    used = attention.about["roi_used"]
    asked = RoiChoice.model_validate(used) if used else None
    choice = choose_roi(audit.confounder, asked, _kinds(audit, faces))
    try:
        _, roi = find_roi(choice, audit.run.path, audit.confounder, faces_of(attention, faces))
        region = Region(choice, roi, roi.mask((SIDE, SIDE))) if roi else None
    except FairsalError as error:
        st.error(plain(error))
        return None
    if region is None:
        return None
    mean_face = faces.images.mean(axis=0).astype(np.uint8) if faces else np.full((SIDE, SIDE, 3), 200, np.uint8)
    roi_figure(mean_face, region.shared, draw=choice.kind == "box", area=roi_area(region.roi, (SIDE, SIDE)))
    return region


def _kinds(audit: Audit, faces: FaceDataset | None) -> list[str]:
    has_map = is_there(audit.run.path, RunFiles(audit.run.path).mean_map)
    kinds = ["region_map"] if has_map and not region_withheld(audit.run.path, audit.confounder) else []
    if faces is not None and faces.parts_folder is not None and audit.confounder in PART_OF:
        kinds.append("parts")
    return [*kinds, "box"]
