"""The same settings and seed give the same answer, and results follow from the predictions that are kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fairsal_core.classifiers import ClassifierTraining, TrainingTask, predict_scores, train_classifier
from fairsal_core.results import read_results, results_table
from tests.helpers import noise_images

SETTINGS = {
    "counts": "2,8,6,4",
    "schemes": ["specific_noise@0.7"],
    "balanced": False,
    "regions": {"images": 40, "epochs": 1, "batch_size": 20, "validation_images": 8},
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 2,
    "attention": {"explainers": ["none"]},
    "device": "cpu",
}


def run(home: Path, drawn_folder: Path) -> Path:
    """Run the experiment in a process and a workspace of its own, so that nothing is reused."""
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({**SETTINGS, "data": str(drawn_folder)}))
    command = [sys.executable, "-m", "fairsal_core", "run", "--config", str(home / "settings.json"), "--json"]
    answer = subprocess.run(
        command, env={**os.environ, "FAIRSAL_HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return Path(json.loads(answer.stdout)["folder"])


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory, drawn_folder: Path) -> tuple[Path, Path]:
    homes = tmp_path_factory.mktemp("twice")
    return run(homes / "first", drawn_folder), run(homes / "second", drawn_folder)


def test_two_processes_give_the_same_bits(twice: tuple[Path, Path]) -> None:
    first, second = twice
    weights = sorted(path.name for path in (first / "weights").iterdir())
    assert weights == ["original-seed0.safetensors", "specific_noise@0.7-seed0.safetensors"]
    for name in weights:
        assert (first / "weights" / name).read_bytes() == (second / "weights" / name).read_bytes()
    for name in ("predictions.parquet", "results.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(first / name), pd.read_parquet(second / name), check_exact=True)
    np.testing.assert_array_equal(np.load(first / "mean_map.npy"), np.load(second / "mean_map.npy"))


def test_results_follow_from_the_predictions_kept(twice: tuple[Path, Path]) -> None:
    predictions = pd.read_parquet(twice[0] / "predictions.parquet")
    again = results_table(predictions, "Male", "Blond_Hair")
    pd.testing.assert_frame_equal(again, read_results(twice[0]), check_exact=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_scores_agree_within_the_tolerance_of_the_docs() -> None:
    images, labels = noise_images(64), np.arange(64) % 2 == 0
    settings = ClassifierTraining(epochs=2, batch_size=16)
    scores = [
        predict_scores(train_classifier(TrainingTask(images, labels, 0), settings, torch.device("cuda")), images)
        for _ in range(2)
    ]
    np.testing.assert_allclose(scores[0], scores[1], atol=0.01)
