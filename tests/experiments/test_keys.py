"""Whatever is kept depends on the pictures, the labels and the versions that it was made of."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fairsal_core.classifiers import CLASSIFIERS, Subject, build_classifier
from fairsal_core.experiments.experiment import Experiment
from fairsal_core.experiments.explaining import ExplainedFaces, relevance_stage
from fairsal_core.experiments.maps import maps_stage
from fairsal_core.experiments.mitigating import MitigationFaces, mitigation_stage
from fairsal_core.experiments.pipeline import run_experiment
from fairsal_core.experiments.planning import plan_experiment
from fairsal_core.experiments.regions import Regions, available_regions, region_stage
from fairsal_core.experiments.training import training_stage
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.mitigation import METHODS
from fairsal_core.regions import NETWORKS, RegionTraining, bundled_classifier
from fairsal_core.registry import Registry
from fairsal_core.runs import JobProgress, RunFiles, Stage
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.settings import ExplainerChoice, MethodChoice, parse_config

CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {
    "counts": "2,8,6,4",
    "schemes": ["specific_mask@0.6"],
    "balanced": False,
    "regions": {"images": 40, "epochs": 1, "batch_size": 20, "validation_images": 8, "precision": "fp32"},
    "training": {"epochs": 1, "batch_size": 10, "learning_rate": 1e-3},
    "test_per_cell": 2,
    "attention": {"explainers": ["gradient"], "explained_faces": 8},
    "device": "cpu",
}


def stages(faces: FaceDataset, home: Path) -> dict[str, Stage[Any]]:
    """Return a stage of each kind, as they are for these faces."""
    config = parse_config({**SETTINGS, "data": str(faces.root)})
    target, confounder = config.target, config.confounder
    plan = plan_experiment(config, faces)
    assert plan.validation is not None
    experiment = Experiment(plan, RunFiles(home), CPU, JobProgress(), lambda network: {})
    regions = Regions(bundled_classifier(confounder), {"weights": "known"})
    maps = maps_stage(regions, faces.take(range(20)), "margin")
    experiment.maps[0] = None
    subject = Subject("original", 0, "three_conv", "known", lambda: build_classifier("three_conv"), lambda seed: None)  # type: ignore[arg-type, return-value]
    of_method = MitigationFaces(faces.take(range(20, 40)), faces.take(range(40, 60)), target, confounder)
    explained = ExplainedFaces(faces.take(range(60, 70)), target, confounder)
    return {
        "regions": region_stage(faces, confounder, RegionTraining(), CPU),
        "maps": maps,
        "classifiers": training_stage(experiment, plan.variants[0], 0),
        "mitigated": mitigation_stage(subject, MethodChoice(method="threshold"), of_method, CPU),
        "relevance": relevance_stage(subject, ExplainerChoice(method="gradient"), explained, CPU),
    }


def keys(faces: FaceDataset, home: Path) -> dict[str, str]:
    return {name: stage.key for name, stage in stages(faces, home).items()}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name, key in before.items() if after[name] != key}


def with_label(faces: FaceDataset, row: int, attribute: str) -> FaceDataset:
    """Return the faces with another label of one of them."""
    column = faces.attributes[attribute].copy()
    column.iloc[row] = not column.iloc[row]
    return replace(faces, attributes=faces.attributes.assign(**{attribute: column}))


@pytest.fixture
def copied(drawn_folder: Path, home: Path) -> Path:
    return Path(shutil.copytree(drawn_folder, home / "faces"))


def test_a_copy_elsewhere_finds_what_was_made_here(drawn: FaceDataset, copied: Path, home: Path) -> None:
    assert keys(load_faces(str(copied)), home) == keys(drawn, home)


def test_labels_count_where_they_are_used(drawn: FaceDataset, home: Path) -> None:
    before = keys(drawn, home)
    every = set(before)
    trained_on = int(np.flatnonzero((drawn.split == "train").to_numpy()[20:40])[0]) + 20
    flipped = {name: ~drawn.attributes[name] for name in ("Male", "Blond_Hair")}
    assert changed(before, keys(replace(drawn, attributes=drawn.attributes.assign(**flipped)), home)) == every - {
        "maps"
    }
    assert changed(before, keys(with_label(drawn, trained_on, "Smiling"), home)) == set()
    assert changed(before, keys(with_label(drawn, trained_on, "Blond_Hair"), home)) >= {"regions", "mitigated"}
    assert changed(before, keys(with_label(drawn, 65, "Male"), home)) >= {"relevance"}
    moved = drawn.split.copy()
    moved.iloc[np.flatnonzero(drawn.split == "train")[:100]] = "val"
    assert changed(before, keys(replace(drawn, split=moved), home)) >= {"regions", "classifiers"}


def test_a_picture_counts_where_it_is_used(drawn: FaceDataset, copied: Path, home: Path) -> None:
    before = keys(drawn, home)
    for row, stage in ((5, "maps"), (25, "mitigated"), (65, "relevance")):
        Image.new("RGB", (178, 218), "white").save(copied / "img_align_celeba" / drawn.names[row])
        assert stage in changed(before, keys(load_faces(str(copied)), home))
        shutil.copy2(drawn.image_folder / drawn.names[row], copied / "img_align_celeba")


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        (NETWORKS, {"regions"}),
        (CLASSIFIERS, {"classifiers", "mitigated", "relevance"}),
        (METHODS, {"mitigated"}),
        (EXPLAINERS, {"relevance"}),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_version_of_an_extension_counts_where_it_is_at_work(
    drawn: FaceDataset, home: Path, monkeypatch: pytest.MonkeyPatch, registry: Registry[Any], expected: set[str]
) -> None:
    before = keys(drawn, home)
    monkeypatch.setattr(registry, "origin", lambda name: "someone's 1.1", raising=False)
    assert changed(before, keys(drawn, home)) == expected


def flip(folder: Path, column: str) -> None:
    """Turn every label of an attribute around, in the file."""
    table = folder / "list_attr_celeba.txt"
    count, columns, *rows = table.read_text().splitlines()
    number = columns.split().index(column) + 1
    turned = []
    for row in rows:
        fields = row.split()
        fields[number] = str(-int(fields[number]))
        turned.append(" ".join(fields))
    table.write_text("\n".join([count, columns, *turned]) + "\n")


def test_relabelled_faces_get_the_results_that_a_fresh_workspace_gives(
    copied: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse_config({**SETTINGS, "data": str(copied)})

    def results(where: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
        monkeypatch.setenv("FAIRSAL_HOME", str(where))
        run = where / "run"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(parents=True)
        run_experiment(config, run, JobProgress())
        return pd.read_parquet(run / "predictions.parquet"), pd.read_parquet(run / "attention.parquet")

    before = results(home / "used")
    flip(copied, "Blond_Hair")
    again, fresh = results(home / "used"), results(home / "fresh")
    for used, expected in zip(again, fresh, strict=True):
        pd.testing.assert_frame_equal(used, expected, check_exact=True)
    assert not before[0].equals(again[0])


def test_a_region_classifier_of_other_labels_is_not_on_offer(drawn: FaceDataset, home: Path) -> None:
    def build(folder: Path, progress: object) -> None:
        bundled_classifier("Smiling").save(folder / "regions")

    stage = replace(region_stage(drawn, "Smiling", RegionTraining(), CPU), build=build)
    stage.make()
    assert available_regions(drawn, "elsewhere") == {"Smiling": stage.make()}
    assert available_regions(with_label(drawn, 3, "Smiling"), "elsewhere") == {}
    assert set(available_regions(with_label(drawn, 3, "Male"), "elsewhere")) == {"Smiling"}


@pytest.mark.parametrize("damage", [b"", b"[]", b"null", b"{", b'{"faces": 1}'])
def test_a_damaged_region_classifier_is_not_on_offer(drawn: FaceDataset, home: Path, damage: bytes) -> None:
    folder = home / "cache" / "regions" / "0123456789abcdef"
    folder.mkdir(parents=True)
    (folder / "depends_on.json").write_bytes(damage)
    assert available_regions(drawn, "elsewhere") == {}
