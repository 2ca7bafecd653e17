"""Region classifiers trained by several processes, against those trained by one."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from fairsal_core.cli import main
from fairsal_core.device import pick_device, process_count
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import regions
from fairsal_core.faces import load_faces
from fairsal_core.regions import Atlas, RegionClassifier, RegionTraining, joined, train_region_classifier
from fairsal_core.runs import list_runs, processes
from tests.regions.conftest import planted_faces
from tests.regions.distributed_job import TRAINING

ROOT = Path(__file__).resolve().parents[2]
on_two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")


def torchrun(*module: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m MODULE` in two processes that know of each other."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", *module]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def confidence(classifier: RegionClassifier) -> torch.Tensor:
    return classifier.logits(torch.rand(8, 3, 128, 128, generator=torch.Generator().manual_seed(3))).softmax(dim=-1)


def assert_alike(ours: RegionClassifier, theirs: RegionClassifier) -> None:
    """Compare what both make of pictures, and batch norm's statistics; rounding alone moves single weights further apart."""
    state, other = ours.network.state_dict(), theirs.network.state_dict()
    assert state.keys() == other.keys()
    statistics = [name for name in state if "running" in name]
    assert statistics
    for name in statistics:
        assert (state[name] - other[name]).norm() < 0.01 * other[name].norm(), name
    torch.testing.assert_close(confidence(ours), confidence(theirs), atol=1e-3, rtol=0)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=on_two_gpus)])
def test_two_processes_train_what_one_trains(tmp_path: Path, device: str) -> None:
    together = torchrun("tests.regions.distributed_job", str(tmp_path / "cue"), device)
    assert together.returncode != 0  # for the first one gave up, and torchrun has ended the other
    assert "FairsalError: The first process gives up." in together.stderr
    alone = train_region_classifier(planted_faces(40, validation=4), "Cue", TRAINING, device=pick_device(device))
    assert_alike(RegionClassifier.load(tmp_path / "cue"), alone.to(torch.device("cpu")))


def test_the_command(drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["train-regions", "--data", str(drawn_folder), "--json", "--device", "cpu", "--precision", "fp32"]
    command += ["--width", "8", "--images", "33", "--batch-size", "16", "--epochs", "2", "--validation-images", "4"]
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "together"))
    assert main([*command, "--attribute", "Smiling", "--out", str(tmp_path / "before")]) == 0

    again = torchrun("fairsal_core", *command, "--attribute", "Smiling", "--out", str(tmp_path / "after"))
    assert again.returncode == 0, again.stderr
    before, after = (RegionClassifier.load(tmp_path / name / "Smiling") for name in ("before", "after"))
    assert torch.equal(confidence(before), confidence(after))  # not trained again

    done = torchrun("fairsal_core", *command, "--attribute", "all", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    trained = json.loads(done.stdout)["trained"]  # told once
    assert {about["weights"] for about in trained.values()} == {str(tmp_path / "out" / "atlas.safetensors")}
    assert len(list_runs()) == 3
    assert all(run.status.state == "finished" for run in list_runs())

    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "alone"))
    assert main([*command, "--attribute", "all", "--out", str(tmp_path / "alone")]) == 0
    together, alone = (Atlas.load(tmp_path / name / "atlas") for name in ("out", "alone"))
    assert together.attributes == alone.attributes == tuple(trained)
    assert_alike(together.of("Eyeglasses"), alone.of("Eyeglasses"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="lists its threads in /proc")
def test_no_thread_of_the_group_outlives_it() -> None:
    """One that still lets go of a tensor while Python ends takes the process with it, after all is done (SIGABRT)."""
    told = torchrun("tests.regions.distributed_end").stdout
    assert len(re.findall("^within: .*gloo", told, re.M)) == 2, told
    assert len(re.findall("^after: ", told, re.M)) == 2, told
    assert not re.search("^after: .*gloo", told, re.M), told


@pytest.fixture
def as_if_under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "test",
        "WORLD_SIZE": "2",
        "RANK": "1",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
    }.items():
        monkeypatch.setenv(name, value)


def test_what_several_processes_cannot_do(
    as_if_under_torchrun: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs"]) == 1
    assert "torchrun is for train-regions alone" in capsys.readouterr().err
    with pytest.raises(FairsalError, match="use auto, cuda or cpu, not 'cuda:1'"), joined("cuda:1"):
        pass
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(FairsalError, match="2 processes for 1 GPUs: use --nproc-per-node 1"), joined("auto"):
        pass
    with pytest.raises(FairsalError, match="leave --compile out"):
        train_region_classifier(planted_faces(24), "Cue", RegionTraining(compile=True))


@pytest.mark.parametrize(("rank", "waits"), [("1", True), ("3", False)])  # on the first machine, and on the second
def test_each_process_waits_for_its_own_gpu(
    as_if_under_torchrun: None,
    drawn_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rank: str,
    waits: bool,
) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", "4")
    faces = load_faces(str(drawn_folder))
    of_stage = regions.region_stage(faces, "Smiling", RegionTraining(), torch.device("cpu")).depends_on
    known = {name: of_stage[name] for name in ("faces", "labels")}
    wanted = {**known, "root": str(faces.root), "attribute": "Smiling", "training": {}}
    told = iter([wanted, None])
    lock = processes.device_lock("cuda-1")
    seen: list[Any] = []
    monkeypatch.setattr(regions, "heard", lambda: next(told))
    monkeypatch.setattr(
        regions,
        "train_region_classifier",
        lambda *_, device, progress: seen.append((str(device), processes.is_locked(lock))),
    )
    with ThreadPoolExecutor(1) as pool:
        taken = processes.try_lock(lock)
        assert taken is not None
        helping = pool.submit(regions.help_to_train, torch.device("cuda"))
        if not waits:
            helping.result(60)
        seen.append("freed")
        processes.unlock(taken)
        helping.result(60)
    trained = ("cuda", True)
    assert seen == (["freed", trained] if waits else [trained, "freed"])
    assert not processes.is_locked(lock)


def test_a_variable_of_someone_elses_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")  # as schedulers of clusters set it
    assert process_count() == 1
