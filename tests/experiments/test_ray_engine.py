"""A sweep on a Ray cluster of two nodes, on loopback, with workers and nodes that are lost."""

import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairsal_core import cli
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import launcher, processes, sharding, store, stored_maps, worker
from fairsal_core.experiments.reporting import Report
from fairsal_core.experiments.sweep import SweepConfig, read_sweep, run_sweep
from fairsal_core.faces import load_faces
from fairsal_core.regions import bundled_classifier
from tests.experiments import unlucky
from tests.experiments.test_sweep import a_sweep

with_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs ray: pip install -r requirements-ray.txt"
)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that does no trials, and two nodes that do one at a time."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        yield made
    finally:
        made.shutdown()


def swept(sweep: SweepConfig, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a sweep in a workspace of its own and return the folder with its tables."""
    monkeypatch.setenv("FAIRSAL_HOME", str(home))
    (out := home / "sweep").mkdir(parents=True)
    run_sweep(sweep, out, Report())
    return out


@with_ray
@pytest.mark.filterwarnings("default")
def test_trials_survive_lost_workers_and_nodes(
    cluster: Any, drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [[1], [unlucky.LOSES_WORKER], [unlucky.LOSES_NODE], [unlucky.BAD]]
    jobs = {**worker.JOBS, "experiment": "tests.experiments.unlucky:run_job"}
    monkeypatch.setattr(worker, "JOBS", jobs)
    far = tmp_path / "cluster"
    killed: list[str] = []

    def kill_node() -> None:
        if processes.wait_until((far / "node").exists, 200):
            (node,) = [each for each in cluster.worker_nodes if each.node_id == (far / "node").read_text()]
            cluster.remove_node(node, allow_graceful=False)
            killed.append(node.node_id)

    killer = threading.Thread(target=kill_node)
    killer.start()
    on_ray = a_sweep(drawn_folder, grid={"seeds": seeds}, engine="ray", address=cluster.address)
    there = swept(on_ray, far, monkeypatch)
    killer.join()
    assert killed

    trials, table, _ = read_sweep(there)
    assert [trial.state for trial in trials] == ["finished", "finished", "finished", "failed"]
    assert trials[3].error == "This can never work."
    attempts = [len((far / f"attempts-{seed}").read_text()) for (seed,) in seeds]
    assert attempts == [1, 2, 2, 1]  # lost ones again, done ones and bad ones not
    states = {trial.key: [run.status.state for run in store.list_runs() if trial.key in run.id] for trial in trials}
    assert [sorted(states[trial.key]) for trial in trials] == [
        ["finished"],
        ["finished", "interrupted"],
        ["finished", "interrupted"],
        ["failed"],
    ]

    monkeypatch.setattr(worker, "JOBS", {**jobs, "experiment": "fairsal_core.experiments.pipeline:run_job"})
    monkeypatch.setattr(launcher, "start", launcher.run_here)
    here = swept(a_sweep(drawn_folder, grid={"seeds": seeds[:3]}), tmp_path / "here", monkeypatch)
    same = ["run"]
    pd.testing.assert_frame_equal(table.drop(columns=same), read_sweep(here)[1].drop(columns=same))


@with_ray
@pytest.mark.filterwarnings("default")
def test_shards_are_the_whole(
    cluster: Any, drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, faces = bundled_classifier("Eyeglasses"), load_faces(str(drawn_folder)).in_split("test")
    paths = []
    for home in ("ray", "here"):
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / home))
        (tmp_path / home).mkdir()
        if home == "ray":
            on = {"data": str(drawn_folder), "device": "cpu", "address": cluster.address, "size": 10}
            paths.append(sharding.sharded_maps(classifier, faces, "margin", **on))
        else:
            paths.append(stored_maps(classifier, faces, "margin"))
    assert paths[0].relative_to(tmp_path / "ray") == paths[1].relative_to(tmp_path / "here")  # the same artifact
    there, here = (np.load(path) for path in paths)
    np.testing.assert_allclose(there, here, atol=1e-3)
    assert there.std() > 0.01
    shards = [np.load(each / "maps.npy") for each in paths[0].parents[1].iterdir() if each.is_dir()]
    assert sorted(len(shard) for shard in shards) == [4, 10, 10, 24]


@with_ray
@pytest.mark.filterwarnings("default")
def test_no_cluster(drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FairsalError, match=r"The Ray cluster at 127\.0\.0\.1:9 does not answer"):
        swept(a_sweep(drawn_folder, engine="ray", address="127.0.0.1:9"), tmp_path, monkeypatch)


def test_an_engine_that_is_not_there(
    drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FairsalError, match=r"pip install -r requirements-ray\.txt"):
        swept(a_sweep(drawn_folder, engine="ray"), tmp_path / "a", monkeypatch)
    with pytest.raises(FairsalError, match="There is no engine 'rya'; did you mean 'ray'"):
        swept(a_sweep(drawn_folder, engine="rya"), tmp_path / "b", monkeypatch)
    with pytest.raises(SystemExit):
        cli.main(["sweep", "--help"])
    assert "--engine" in capsys.readouterr().out
