"""A run and its partner: the same results as alone, and no partner left behind."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fairsal_core.experiments import partner as partner_module
from fairsal_core.experiments import partner_process, training
from fairsal_core.experiments.partner import partner
from fairsal_core.experiments.pipeline import run_experiment
from fairsal_core.home import cache_folder
from fairsal_core.runs import store
from fairsal_core.runs.events import JobProgress
from fairsal_core.settings.experiment import parse_config

SETTINGS: dict[str, Any] = {
    "counts": "2,8,6,4",
    "schemes": ["specific_noise@0.7"],
    "regions": {"images": 40, "epochs": 1, "batch_size": 20, "validation_images": 8, "precision": "fp32"},
    "training": {"epochs": 1, "batch_size": 10},
    "seeds": [3],
    "test_per_cell": 2,
    "attention": {"explainers": ["none"]},
    "device": "cpu",
}
TRAININGS = 3


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _run(home: Path, faces: Path, patch: pytest.MonkeyPatch) -> Path:
    patch.setenv("FAIRSAL_HOME", str(home))
    settings = {**SETTINGS, "data": str(faces)}
    run = store.create_run("experiment", settings)
    run_experiment(parse_config(settings), run, JobProgress())
    return run


def test_the_partner_trains_the_same_classifiers(
    tmp_path: Path, drawn_folder: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    train = training.train_classifier

    def wait_for_the_partner(*args: Any, **options: Any) -> Any:
        trained.append(args[0].seed)
        deadline = time.monotonic() + 60
        while len(list((cache_folder() / "classifiers").glob("[!.]*"))) < TRAININGS - 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        return train(*args, **options)

    monkeypatch.setattr(partner_module, "LEAST_IMAGES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_classifier", wait_for_the_partner)
        shared = _run(tmp_path / "shared", drawn_folder, monkeypatch)
    assert trained == [3], store.log_tail(shared)  # the partner did the other two
    assert torch.get_num_threads() == 2
    stages = {event.stage for event in store.read_events(shared)[0] if "loss" in event.numbers}
    assert "balanced, seed 3" in stages  # its curves are the run's

    def with_one_thread(*args: Any, **options: Any) -> Any:
        torch.set_num_threads(1)
        try:
            return train(*args, **options)
        finally:
            torch.set_num_threads(2)

    monkeypatch.setattr(partner_module, "LEAST_IMAGES", 10**9)
    monkeypatch.setattr(training, "train_classifier", with_one_thread)
    alone = _run(tmp_path / "alone", drawn_folder, monkeypatch)
    for weights in (shared / "weights").iterdir():
        assert weights.read_bytes() == (alone / "weights" / weights.name).read_bytes(), weights.name


def test_it_stops_when_the_run_is_gone(tmp_path: Path, drawn_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    run = store.create_run("experiment", {**SETTINGS, "data": str(drawn_folder)})
    partner_process.main([str(run), "0"])  # no process has the number 0 as its parent
    assert not (cache_folder() / "classifiers").exists()


@pytest.mark.parametrize(("images", "device", "threads"), [(10**6, "cuda", 2), (10**6, "cpu", 1), (10, "cpu", 2)])
def test_nobody_is_called_where_nobody_is_needed(
    images: int, device: str, threads: int, tmp_path: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partner_module, "_start", lambda run, threads: pytest.fail("a partner was started"))
    torch.set_num_threads(threads)
    with partner(tmp_path, images, device) as call:
        call()
        assert torch.get_num_threads() == threads


def test_it_comes_once_and_leaves_with_the_block(
    tmp_path: Path, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start(run: Path, threads: int) -> subprocess.Popen[bytes]:
        assert threads == 1
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[-1]

    monkeypatch.setattr(partner_module, "_start", start)
    with pytest.raises(KeyError), partner(tmp_path, 10**6, "cpu") as call:
        call()
        call()
        assert torch.get_num_threads() == 1
        raise KeyError
    assert len(started) == 1
    assert started[0].returncode is not None
    assert torch.get_num_threads() == 2
