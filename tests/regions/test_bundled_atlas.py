"""The atlas of real faces that comes with the repository, and its model card."""

import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from fairsal_core.drawing import CELEBA_ATTRIBUTES
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.regions import (
    REGION_PRESETS,
    PatchGrid,
    atlas_names,
    atlas_path,
    bundled_attributes,
    judge_atlas,
    load_atlas,
)

CARD = atlas_path().with_name("README.md")


def test_it_is_small_and_of_all_forty_attributes() -> None:
    assert sum(path.stat().st_size for path in atlas_path().parent.glob(f"{atlas_path().stem}.*")) < 3 * 2**20
    with safe_open(atlas_path(), framework="pt") as file:
        kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert kinds == {"F16", "I64"}  # the counters of batch norm are whole numbers
    atlas = load_atlas()
    assert atlas.attributes == atlas_names()
    assert set(atlas.attributes) == set(CELEBA_ATTRIBUTES)
    assert atlas.grid == PatchGrid()
    assert atlas.logits(torch.rand(2, 3, 128, 128)).shape == (2, 40, 49, 49, 2)
    assert atlas.data["train_faces"] == 9842
    assert atlas_path().stem not in bundled_attributes()


def test_it_was_made_by_the_command_on_its_card() -> None:
    card = CARD.read_text(encoding="utf-8")
    assert "train-regions --preset long --attribute all" in card
    training = load_atlas().training
    asked = REGION_PRESETS["long"]
    assert {name: training[name] for name in asked} == asked
    assert training["epochs_kept"] <= training["epochs"]


@pytest.mark.parametrize("words", ["non-commercial", "no picture", "perceived", "Licence", "cannot read"])
def test_the_card_says_what_it_is_and_is_not(words: str) -> None:
    assert words in CARD.read_text(encoding="utf-8")


def test_the_card_has_a_row_of_each_attribute() -> None:
    card = CARD.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| [\d.]+ \| (0\.\d+) ", card, flags=re.M))
    assert set(rows) == set(atlas_names())
    assert all(0.5 < float(auc) <= 1 for auc in rows.values())


@pytest.mark.real
def test_it_reads_photographs(celeba_sample: Path) -> None:
    least = {"Eyeglasses": 0.94, "Smiling": 0.9, "Wearing_Hat": 0.95}
    faces: FaceDataset = load_faces(str(celeba_sample))
    chosen_on, judged = (faces.in_split(split).sample(300) for split in ("val", "test"))
    found = judge_atlas(load_atlas().only(tuple(least)), chosen_on, judged)
    for attribute, auc in least.items():
        assert found[attribute]["auc"] > auc, attribute
        assert found[attribute]["ece_at_base_rate"] < 0.06, attribute
