"""What an experiment says before its first step."""

from pathlib import Path

import pytest
import torch

from fairsal_core.experiments import experiment
from fairsal_core.experiments.experiment import Experiment
from fairsal_core.experiments.planning import describe_subsets
from fairsal_core.faces import FaceDataset
from fairsal_core.runs import JobProgress
from fairsal_core.settings import parse_config

CONFIG = {"counts": "2,8,6,4", "schemes": [], "balanced": False, "test_per_cell": 2}


@pytest.mark.parametrize("notice", ["", "photos is not in CelebA's frame."])
def test_a_set_that_is_not_aligned_is_named_in_the_run(
    notice: str, drawn: FaceDataset, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "load_faces", lambda data, progress: drawn)
    monkeypatch.setattr(experiment, "frame_notice", lambda faces, cache: notice)
    begun = Experiment.begin(parse_config(CONFIG), tmp_path, torch.device("cpu"), JobProgress())
    assert describe_subsets(begun.plan).get("notes", []) == ([notice] if notice else [])
