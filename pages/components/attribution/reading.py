"""What the sections of Attribution are about: which faces are read by which region classifier, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from fairsal_core.drawing import DEMO
from fairsal_core.faces import FaceDataset
from fairsal_core.pictures import with_filling_marked
from fairsal_core.regions import (
    MapSummary,
    RegionClassifier,
    atlas_path,
    confidence,
    counted_pixel_map,
    estimate_cost,
    load_regions,
    mean_colour,
    region_maps,
    to_pixel_map,
    uncounted_patches,
)
from fairsal_core.results import class_means
from fairsal_core.tensors import resident, to_unit

LONG_SECONDS = 20.0  # of mapping: what takes longer is asked for first
MEAN_OVER = 200


@dataclass(frozen=True, eq=False)
class Picked:
    """A face to look at.

    Attributes
    ----------
    name : str
        What to call it.
    pixels : array, (128, 128, 3) uint8
        What the region classifier sees.
    outside : array, (128, 128) bool, optional
        Pixels that are not from the photo; None if all are.
    is_face : bool
        Whether there is a face in it, as far as is known.
    of_the_set : bool
        Whether it is one of the set's faces, by that name.
    """

    name: str
    pixels: NDArray[np.uint8]
    outside: NDArray[np.bool_] | None = None
    is_face: bool = True
    of_the_set: bool = False


@dataclass(frozen=True, eq=False)
class Mapped:
    """A face and its map.

    Attributes
    ----------
    picked : Picked
        The face.
    positions : array, (per_side, per_side)
        Confidence of each position; NaN where the patch is mostly not from the photo.
    pixels : array, (128, 128)
        The same of each pixel, in the measure's unit; NaN where it is not from the photo.
    probabilities : array, (per_side, per_side, C)
        Of each class, by each patch.
    """

    picked: Picked
    positions: NDArray[np.float16]
    pixels: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    @property
    def name(self) -> str:
        """Of the face."""
        return self.picked.name

    @property
    def face(self) -> NDArray[np.uint8]:
        """The pixels to show, (128, 128, 3): what is not from the photo is striped."""
        return with_filling_marked(self.picked.pixels, self.picked.outside)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """The positions (per_side, per_side) whose patches count."""
        return ~np.isnan(self.positions)

    @property
    def from_photo(self) -> NDArray[np.bool_]:
        """The pixels (128, 128) that are from the photo."""
        return np.ones(self.pixels.shape, dtype=bool) if self.picked.outside is None else ~self.picked.outside


@dataclass(frozen=True)
class Reading:
    """What the controls of the page say.

    Attributes
    ----------
    source : str
        Where the faces are from.
    faces : FaceDataset
        All of them.
    picked : sequence of Picked
        The faces to look at.
    path : Path
        The region classifier's file.
    attribute : str
        What it predicts; an atlas's file has several.
    measure : str
        The confidence measure of the maps.
    quantile : float
        Pixels above it are outlined, and hidden by the schemes.
    """

    source: str
    faces: FaceDataset
    picked: Sequence[Picked]
    path: Path
    attribute: str
    measure: str
    quantile: float

    @cached_property
    def _file(self) -> tuple[Path, str, float]:
        return _dated(self.path, self.attribute)

    @property
    def classifier(self) -> RegionClassifier:
        """The region classifier."""
        return _load(*self._file)

    @property
    def is_of_these_faces(self) -> bool:
        """Whether the region classifier is for the faces of the set, not just for photos that are brought."""
        return self.source != DEMO or self.path != atlas_path()

    @property
    def seconds_a_face(self) -> float:
        """How long mapping one face takes, roughly."""
        return _seconds_a_face(*self._file)

    def label_of(self, picked: Picked) -> str:
        """Return the class that a face of the set is annotated with; empty for others."""
        if not picked.of_the_set:
            return ""
        row = int(np.flatnonzero(self.faces.names == picked.name)[0])
        labels, names = self.faces.take([row]).classes(self.attribute)
        return names[labels[0]] if labels[0] >= 0 else f"not labelled of {self.attribute}"

    def map_face(self, picked: Picked) -> Mapped:
        """Return a face's map and what each patch says."""
        return Mapped(picked, *_map_face(picked.pixels, picked.outside, *self._file, self.measure))

    @property
    def mean_maps(self) -> dict[str, MapSummary]:
        """The mean pixel maps over some held-out faces, of all and of each class."""
        count = min(MEAN_OVER, max(int(LONG_SECONDS / self.seconds_a_face), 2))
        return _mean_maps(self.source, len(self.faces), *self._file, self.measure, count, self.faces)

    @cached_property
    def mean_face(self) -> NDArray[np.uint8]:
        """The mean (128, 128, 3) of held-out faces."""
        return np.asarray(held_out(self.faces).sample(MEAN_OVER).images.mean(axis=0), dtype=np.uint8)

    @property
    def mean_colour(self) -> tuple[float, float, float]:
        """The mean colour of the faces, which masks are filled with."""
        return _mean_colour(self.source, len(self.faces), self.faces)


def classifier_of(path: Path, attribute: str) -> RegionClassifier:
    """Return the region classifier in a file; raises FairsalError or OSError for one that cannot be read."""
    return _load(*_dated(path, attribute))


def _dated(path: Path, attribute: str) -> tuple[Path, str, float]:
    return path, attribute, path.with_suffix(".json").stat().st_mtime


def held_out(faces: FaceDataset) -> FaceDataset:
    """Return the test split, or where a set has none, the validation split."""
    test = faces.in_split("test")
    return test if len(test) else faces.in_split("val")


@st.cache_resource(max_entries=64, show_spinner=False)
def _load(path: Path, attribute: str, changed: float) -> RegionClassifier:
    """Return a region classifier; a file that changed is another one."""
    return load_regions(path, attribute)


@st.cache_data(max_entries=32, show_spinner=False)
def _seconds_a_face(path: Path, attribute: str, changed: float) -> float:
    return estimate_cost(_load(path, attribute, changed), 1).seconds


@st.cache_data(max_entries=32, show_spinner="Averaging the maps of held-out faces …")
def _mean_maps(
    source: str, size: int, path: Path, attribute: str, changed: float, measure: str, count: int, _faces: FaceDataset
) -> dict[str, MapSummary]:
    """Return the mean maps of a set, which is known by its name and size: what changes it clears this."""
    classifier = _load(path, attribute, changed)
    sample = held_out(_faces).sample(count)
    means, counts = class_means(classifier, region_maps(classifier, sample.images, measure), sample)
    return {name: MapSummary(mean, error, counts[name]) for (mean, error), name in zip(means, counts, strict=True)}


@st.cache_data(max_entries=64, scope="session", show_spinner="Mapping …")
def _map_face(
    face: NDArray[np.uint8], outside: NDArray[np.bool_] | None, path: Path, attribute: str, changed: float, measure: str
) -> tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.float32]]:
    """Return the positions' values, the pixels' and the class probabilities, as in `Mapped`."""
    classifier = _load(path, attribute, changed)
    logits = classifier.logits(to_unit(resident(face[None], classifier.device)))
    # As `region_maps` has it, of the one pass that the probabilities need too.
    positions = confidence(logits, measure, classifier.prior)[0].cpu().numpy().astype(np.float16)
    probabilities = logits.softmax(dim=-1)[0].cpu().numpy()
    if outside is None:
        return positions, to_pixel_map(positions, classifier.grid), probabilities
    uncounted = uncounted_patches(outside, classifier.grid)
    pixels = counted_pixel_map(positions, uncounted, outside, classifier.grid)
    return np.where(uncounted, np.float16(np.nan), positions), pixels, probabilities


@st.cache_data(max_entries=16, show_spinner=False)
def _mean_colour(source: str, size: int, _faces: FaceDataset) -> tuple[float, float, float]:
    return mean_colour(_faces.sample(500).images)
