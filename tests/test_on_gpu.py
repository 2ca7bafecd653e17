"""What is written for a GPU runs, on one that stands in: a whole experiment; networks, with tensors that say where they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.classifiers import CLASSIFIERS, build_classifier
from fairsal_core.device import pick_device
from fairsal_core.experiments import training
from fairsal_core.experiments.pipeline import run_experiment
from fairsal_core.files import read_json
from fairsal_core.regions import PatchGrid
from fairsal_core.regions.classifier import NETWORKS
from fairsal_core.results import read_attention, read_outcomes, read_predictions
from fairsal_core.runs import JobProgress
from fairsal_core.runs.events import Event
from fairsal_core.saliency.explain import _fitting
from fairsal_core.schemes.noise import gaussian
from fairsal_core.settings import parse_config
from tests.gpu import MEMORY, shapes_only, standing_in

SETTINGS: dict[str, Any] = {
    "counts": "2,8,6,4",
    "schemes": ["general_mask@0.7", "specific_noise@0.7"],
    "regions": {"images": 16, "epochs": 1, "batch_size": 8, "validation_images": 8},
    "training": {"epochs": 1, "batch_size": 10},
    "seeds": [0, 1],
    "test_per_cell": 2,
    "attention": {"explainers": ["gradient"], "explained_faces": 4},
    "mitigation": ["fine_tune:epochs=1"],
    "device": "cuda",
}


def test_a_whole_experiment_with_seeds_at_once(
    drawn_folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "faster_together", lambda tasks, settings, device: device.type == "cuda")
    events: list[Event] = []
    run = tmp_path / "run"
    run.mkdir()
    with standing_in() as device:
        assert pick_device("cuda") == device
        config = parse_config({**SETTINGS, "data": str(drawn_folder)})
        run_experiment(config, run, JobProgress(show=events.append))
    assert read_json(run / "versions.json")["device"] == "cuda"
    assert {"original, all seeds", "general_mask@0.7, all seeds"} <= {event.stage for event in events}
    predictions = read_predictions(run)
    assert set(predictions["variant"].astype(str)) >= {"original", "balanced", "general_mask@0.7", "specific_noise@0.7"}
    assert set(predictions["seed"]) == {0, 1} and predictions["score"].between(0, 1).all()
    assert {outcome.seed for outcome in read_outcomes(run)} == set(read_attention(run)["seed"].dropna()) == {0, 1}
    # What was computed on a GPU is not taken for what a CPU computes.
    kept = [read_json(path) for path in (home / "cache" / "classifiers").glob("*/depends_on.json")]
    assert kept and {each["device"] for each in kept} == {"cuda"}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_audited_classifiers_train_and_judge_there(name: str) -> None:
    architecture = CLASSIFIERS.find(name)
    with shapes_only():
        network, images = build_classifier(name).train(), torch.rand(2, 3, 128, 128)
        logits = architecture.training_pass(network, images)
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), torch.zeros(2, 2))
        with torch.no_grad():
            judged = network.eval()(images)
    assert loss.is_cuda and loss.requires_grad
    assert judged.is_cuda and tuple(judged.shape) == (2, 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_region_classifiers_train_and_map_there(name: str) -> None:
    entry, grid = NETWORKS.find(name), PatchGrid(128, 32, 7)
    with shapes_only():
        network = entry.build(2, grid, entry.settings())
        images = torch.rand(3, 3, 128, 128)
        logits = network.train()(images)
        with torch.no_grad():
            maps = network.eval()(images)
    assert logits.is_cuda and logits.requires_grad
    assert maps.is_cuda and tuple(maps.shape) == (3, 2, grid.per_side, grid.per_side)


def test_noise_is_drawn_there() -> None:
    with shapes_only():
        assert gaussian(torch.rand(2, 3, 8, 8), None).is_cuda


def test_as_many_faces_are_explained_at_once_as_its_memory_holds() -> None:
    with standing_in() as device:
        assert _fitting(MEMORY // 64, device) < _fitting(MEMORY // 1024, device)
        assert _fitting(2 * MEMORY, device) == 1


def test_a_tensor_from_elsewhere_is_noticed() -> None:
    """The stand-in without values tells the mistake that it is there for."""
    with shapes_only(), pytest.raises(RuntimeError, match="device"):
        torch.rand(2) + torch.from_numpy(np.ones(2)).to("cpu")
