"""What an experiment takes of the disk is what was said before it began."""

from pathlib import Path

import pytest

from fairsal_core.costs.disk import disk_bytes
from fairsal_core.experiments import plan_variants, run_experiment
from fairsal_core.faces import FaceDataset, list_faces, load_celeba, load_faces
from fairsal_core.runs import JobProgress
from fairsal_core.settings import parse_config

SETTINGS = {
    "counts": "2,8,6,4",
    "schemes": ["general_mask@0.6", "specific_noise@0.7"],
    "regions": {"images": 20, "epochs": 1, "batch_size": 20, "validation_images": 8},
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 2,
    "attention": {"explainers": ["gradient"], "explained_faces": 16},
    "device": "cpu",
}


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_it_is_within_a_third_of_what_is_there_then(
    drawn_folder: Path, home: Path, tmp_path: Path, seeds: list[int]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    config = parse_config({**SETTINGS, "seeds": seeds, "data": str(drawn_folder)})
    listed = list_faces(config.data)
    said = disk_bytes(config, plan_variants(config, listed), listed)
    run_experiment(config, run, JobProgress())
    there = {file: file.stat().st_size for folder in {home, run} for file in folder.rglob("*") if file.is_file()}
    assert 0.75 < sum(there.values()) / sum(said.values()) < 1.3, (said, sum(there.values()))
    # Once pictures are packed they need no room any more.
    packed = load_faces(config.data)
    again = disk_bytes(config, plan_variants(config, packed), packed)
    assert "pictures" not in again and again["classifiers"] == said["classifiers"]


def test_what_is_not_asked_for_takes_no_room(drawn: FaceDataset, drawn_folder: Path) -> None:
    config = parse_config({**SETTINGS, "schemes": [], "attention": {"explainers": []}, "data": str(drawn_folder)})
    assert list(disk_bytes(config, plan_variants(config, drawn), drawn)) == ["classifiers"]
    methods = parse_config({**SETTINGS, "mitigation": ["fine_tune"], "data": str(drawn_folder)})
    unpacked = load_celeba(drawn_folder)
    said = disk_bytes(methods, plan_variants(methods, unpacked), unpacked)
    assert set(said) == {"pictures", "region maps", "classifiers", "mitigated classifiers", "maps of attention"}
    assert said["pictures"] == len(unpacked) * 128 * 128 * 3  # a small set is packed as a whole
