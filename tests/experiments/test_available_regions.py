"""Which region classifiers there are for some faces, whatever else lies in the cache."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fairsal_core.drawing import DEMO
from fairsal_core.experiments import ALL, available_regions, region_stage
from fairsal_core.experiments.regions import find_regions, needs_regions
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.regions import RegionTraining, atlas_names, atlas_path, bundled_attributes, bundled_path
from fairsal_core.runs import artifact
from fairsal_core.settings import parse_config
from tests.conftest import MakeCeleba

CPU = torch.device("cpu")
FOREIGN: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "no JSON": lambda path: path.write_bytes(b"\xff\xfe"),
    "a list": lambda path: path.write_text("[1]"),
    "a number": lambda path: path.write_text("1"),
    "of something else": lambda path: path.write_text("{}"),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.timeout(30)
def test_what_is_foreign_is_passed_over(
    make_celeba: MakeCeleba, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))
    root = make_celeba()
    faces = load_faces(str(root))
    stage = tmp_path / "home" / "cache" / "regions"
    for number, make in enumerate(FOREIGN.values()):
        folder = stage / f"{number:016x}"
        folder.mkdir(parents=True)
        make(folder / "depends_on.json")
    ours = region_stage(faces, "Smiling", RegionTraining(), torch.device("cpu")).identity
    for attribute in (["no", "name"], "Unheard_Of", None):
        artifact("regions", {**ours, "attribute": attribute}, lambda folder: None)
    artifact("regions", {"of": "something else"}, lambda folder: None)
    artifact("regions", {**ours, "training": {"of": "another version"}}, lambda folder: None)
    folder = artifact("regions", {**ours, "attribute": "Smiling"}, lambda folder: None)
    found = available_regions(faces, str(root))
    assert found.pop("Smiling") == folder / "regions"
    assert set(found.values()) == {atlas_path()}  # as it is CelebA's layout
    assert set(found) == set(atlas_names()) & set(faces.attributes.columns) - {"Smiling"}


def test_an_atlas_of_these_faces_goes_before_the_bundled_one(
    make_celeba: MakeCeleba, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))
    root = str(make_celeba(count=24))
    faces = load_faces(root)
    settings = RegionTraining(images=8, epochs=1, batch_size=4, width=4, per_side=13, precision="fp32")
    config = parse_config({"data": root, "confounder": "Smiling"})
    before = find_regions(config, faces, CPU)
    assert before.classifier.data["train_faces"] == 9842
    path = region_stage(faces, ALL, settings, CPU).make()
    kept = {"Blond_Hair": atlas_path(), "Male": path, "Smiling": path}  # all that train here have blond hair
    assert available_regions(faces, root) == kept
    found = find_regions(config, faces, CPU)
    assert found.classifier.data == {
        "name": faces.name,
        "train_faces": 8,
        "class_counts": found.classifier.data["class_counts"],
    }
    assert (found.classifier.attribute, found.classifier.grid.per_side) == ("Smiling", 13)
    assert found.key != before.key
    assert not needs_regions(config, faces)
    # It was made of these labels, and is not for others.
    other = dataclasses.replace(faces, attributes=faces.attributes.assign(Male=~faces.attributes["Male"]))
    assert find_regions(config, other, CPU).classifier.data["train_faces"] == 9842


def test_an_atlas_of_drawn_faces_leaves_the_bundled_ones_in_place(drawn: FaceDataset, home: Path) -> None:
    settings = RegionTraining(images=8, epochs=1, batch_size=4, width=4, per_side=13, precision="fp32")
    path = region_stage(drawn, ALL, settings, CPU).make()
    found = available_regions(drawn, DEMO)
    assert found["Bangs"] == path
    assert {found[attribute] for attribute in bundled_attributes()} == {
        bundled_path(attribute) for attribute in bundled_attributes()
    }
    assert find_regions(parse_config({}), drawn, CPU).classifier.grid.per_side == 49
    assert find_regions(parse_config({"confounder": "Bangs"}), drawn, CPU).classifier.grid.per_side == 13
    assert available_regions(drawn, str(drawn.root))["Smiling"] == path  # a folder of drawn faces is not CelebA's
