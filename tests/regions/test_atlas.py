"""An atlas: one network, a head for each attribute."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.regions import (
    Atlas,
    RegionClassifier,
    RegionTraining,
    atlas_attributes,
    load_regions,
    stored_attributes,
    train_atlas,
)
from tests.regions.conftest import CUE, planted_faces

SHORT = RegionTraining(images=48, epochs=2, batch_size=8, validation_images=16, width=4, precision="fp32")


@pytest.fixture(scope="module")
def mixed() -> FaceDataset:
    """Faces with two binary attributes, one of which is not labelled on all, a class of three, and one that is always so."""
    faces = planted_faces(64)
    cue = faces.labels("Cue")
    kinds = np.where(np.arange(64) % 3 == 0, "far", np.where(cue, "red", "plain"))
    half = pd.array([None if number % 2 else bool(label) for number, label in enumerate(cue)], dtype="boolean")
    attributes = faces.attributes.drop(columns="Never").assign(
        Kind=pd.Categorical(kinds, ["red", "plain", "far"]), Half=half
    )
    return dataclasses.replace(faces, attributes=attributes)


@pytest.fixture(scope="module")
def atlas(mixed: FaceDataset) -> Atlas:
    return train_atlas(mixed, settings=SHORT)


def test_it_is_of_every_attribute_that_varies(mixed: FaceDataset, atlas: Atlas) -> None:
    assert atlas_attributes(mixed.in_split("train")) == ("Cue", "Kind", "Half") == atlas.attributes
    assert [len(head.classes) for head in atlas.heads] == [2, 3, 2]
    assert atlas.data == {"name": "memory", "train_faces": 48}
    assert [sum(head.data["class_counts"]) for head in atlas.heads] == [48, 48, 24]
    assert [head.metrics["faces"] for head in atlas.heads] == [16, 16, 8]


def test_nothing_that_varies(mixed: FaceDataset) -> None:
    alone = dataclasses.replace(mixed, attributes=mixed.attributes[["Always"]])
    with pytest.raises(FairsalError, match="No attribute differs between the 48 training faces"):
        train_atlas(alone, settings=SHORT)
    with pytest.raises(FairsalError, match="'Always' is the same on all 48 training faces"):
        train_atlas(mixed, ("Cue", "Always"), SHORT)


def test_one_pass_gives_what_each_attribute_alone_gives(atlas: Atlas) -> None:
    images = torch.rand(2, 3, 128, 128)
    together = atlas.logits(images)
    assert together.shape == (2, 3, 49, 49, 3)
    for number, attribute in enumerate(atlas.attributes):
        alone = atlas.of(attribute)
        classes = len(alone.classes)
        torch.testing.assert_close(alone.logits(images), together[:, number, ..., :classes], atol=1e-5, rtol=1e-5)
        assert (together[:, number, ..., classes:] == -torch.inf).all()
    assert together.softmax(dim=-1).isfinite().all()


def test_some_of_the_attributes(atlas: Atlas) -> None:
    images = torch.rand(1, 3, 128, 128)
    some, whole = atlas.only(["Half", "Cue"]), atlas.logits(images)
    assert some.attributes == ("Half", "Cue")
    torch.testing.assert_close(some.logits(images), whole[:, [2, 0], ..., :2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_saved_and_loaded(atlas: Atlas, tmp_path: Path, dtype: torch.dtype) -> None:
    weights = atlas.save(tmp_path / "atlas", dtype)
    loaded = Atlas.load(tmp_path / "atlas.json")
    assert loaded.heads == atlas.heads
    assert (loaded.grid, loaded.settings, loaded.training) == (atlas.grid, atlas.settings, atlas.training)
    images = torch.rand(1, 3, 128, 128)
    exact = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(loaded.logits(images), atlas.logits(images), atol=exact, rtol=exact)
    numbers = sum(value.numel() for value in atlas.network.state_dict().values())
    assert weights.stat().st_size < numbers * dtype.itemsize + 8192


def test_a_region_classifier_out_of_a_file(atlas: Atlas, tmp_path: Path) -> None:
    path = atlas.save(tmp_path / "atlas")
    assert stored_attributes(path) == atlas.attributes
    found = load_regions(path, "Kind")
    assert (found.attribute, found.classes) == ("Kind", ("red", "plain", "far"))
    assert found.data["class_counts"] == atlas.heads[1].data["class_counts"]
    single = found.save(tmp_path / "kind")  # and is like any other
    images = torch.rand(1, 3, 128, 128)
    for again in (load_regions(single), load_regions(single, "Kind")):
        torch.testing.assert_close(again.logits(images), found.logits(images))
    with pytest.raises(FairsalError, match="attribute of this atlas 'Cues'; did you mean 'Cue'"):
        load_regions(path, "Cues")
    with pytest.raises(FairsalError, match="an atlas of 3 attributes: say which one is wanted"):
        RegionClassifier.load(path)
    with pytest.raises(FairsalError, match="of Kind, not of Cue"):
        load_regions(single, "Cue")
    with pytest.raises(FairsalError, match="of one attribute, Kind, and no atlas"):
        Atlas.load(single)


def test_what_is_not_labelled_teaches_nothing(mixed: FaceDataset) -> None:
    """The other labels of faces without one still do: an atlas of both is not that of the labelled half."""
    guessed = mixed.attributes["Half"].fillna(value=True)
    told = dataclasses.replace(mixed, attributes=mixed.attributes.assign(Half=guessed.astype(bool)))
    image = torch.rand(1, 3, 128, 128)
    honest, wrong = (train_atlas(faces, ("Half", "Cue"), SHORT) for faces in (mixed, told))
    assert not torch.allclose(honest.logits(image), wrong.logits(image))
    assert honest.heads[0].prior != wrong.heads[0].prior


def test_heads_trained_together_find_the_cue(mixed: FaceDataset) -> None:
    settings = SHORT.model_copy(update={"epochs": 30, "width": 16, "patience": 0, "learning_rate": 5e-3})
    found = train_atlas(mixed, ("Half", "Cue"), settings)
    faces = mixed.in_split("val")
    pixels = torch.from_numpy(faces.images.copy()).permute(0, 3, 1, 2) / 255
    logits = found.logits(pixels)[:, 1]
    told = logits[..., 1] - logits[..., 0]
    has = torch.from_numpy(faces.labels("Cue").copy())
    difference = told[has].mean(dim=0) - told[~has].mean(dim=0)
    row, column = divmod(int(difference.argmax()), 49)
    assert abs(2 * column + 16 - (CUE.x + 8)) <= 24
    assert abs(2 * row + 16 - (CUE.y + 8)) <= 24


def test_a_resnet18_with_heads(mixed: FaceDataset) -> None:
    settings = SHORT.model_copy(update={"network": "resnet18", "per_side": 5, "epochs": 1})
    atlas = train_atlas(mixed, settings=settings)
    images = torch.rand(1, 3, 128, 128)
    torch.testing.assert_close(
        atlas.of("Half").logits(images), atlas.logits(images)[:, 2, ..., :2], atol=1e-4, rtol=1e-4
    )
