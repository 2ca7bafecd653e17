"""Faces whose label is a coloured square at a known, off-diagonal place, and a region classifier trained on them."""

import re
from dataclasses import dataclass, field

import numpy as np
import pytest

from fairsal_core.faces import FaceDataset, Roi
from fairsal_core.regions import REGION_PRESETS, RegionClassifier, RegionTraining, train_region_classifier
from tests.helpers import faces_in_memory, noise_images

CUE = Roi(x=84, y=20, width=16, height=16)
_SIZES = {"images": 48, "epochs": 3, "batch_size": 4, "validation_images": 16, "precision": "fp32"}
TINY = RegionTraining.model_validate({**REGION_PRESETS["every_patch"], **_SIZES, "warm_up": 0})


def planted_faces(count: int, seed: int = 0, validation: int = 16) -> FaceDataset:
    """Noise; where the label `Cue` is set, the square at `CUE` is red. `Always` and `Never` say the same of all."""
    generator = np.random.default_rng(seed + 1000)  # not the stream that `FaceDataset.sample` draws from
    images = noise_images(count, seed) // 2 + 64
    cue = generator.permutation(np.arange(count) % 2 == 0)
    images[np.ix_(cue, range(CUE.y, CUE.y + CUE.height), range(CUE.x, CUE.x + CUE.width))] = (230, 30, 30)
    split = ["train"] * (count - validation) + ["val"] * validation
    return faces_in_memory({"Cue": cue, "Always": np.ones(count), "Never": np.zeros(count)}, split, images)


@dataclass
class Losses:
    """A progress callback that collects the losses it is told."""

    values: list[float] = field(default_factory=list)

    def __call__(self, done: float, total: float, message: str = "") -> None:
        if found := re.search(r"loss ([\d.]+)$", message):
            self.values.append(float(found[1]))


@pytest.fixture(scope="session")
def planted() -> FaceDataset:
    return planted_faces(64)


@pytest.fixture(scope="session")
def losses() -> Losses:
    """The losses of the training of `trained`; ask for both."""
    return Losses()


@pytest.fixture(scope="session")
def trained(planted: FaceDataset, losses: Losses) -> RegionClassifier:
    return train_region_classifier(planted, "Cue", TINY, progress=losses)
