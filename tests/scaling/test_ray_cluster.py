"""A sweep on a Ray cluster of two nodes, on loopback, with workers and nodes that are lost."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from fairsal_core import cli
from fairsal_core.classifiers import Subject, Treatment, build_classifier
from fairsal_core.errors import CancelledError, FairsalError
from fairsal_core.experiments import ExplainedFaces, Hiding, relevance_stage, said_of, scoring
from fairsal_core.faces import list_faces, load_celeba, load_faces, packed_folder
from fairsal_core.home import cache_folder
from fairsal_core.progress import silent
from fairsal_core.regions import bundled_classifier, bundled_path
from fairsal_core.runs import launcher, processes, store, worker
from fairsal_core.runs.events import JobProgress
from fairsal_core.runs.layout import RunFiles
from fairsal_core.scaling import cluster_state, on_ray, open_maps, ray_cluster, stored_maps
from fairsal_core.scaling.audit_engines import engines_of
from fairsal_core.scaling.sweep import read_sweep, run_sweep
from fairsal_core.scan import make_column, save_cohort
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings import ExplainerChoice, parse_audit
from fairsal_core.settings.sweep import SweepConfig
from tests.extras import needs
from tests.helpers import folder_of_own
from tests.scaling import unlucky
from tests.scaling.test_sweep import a_sweep

with_ray = needs("ray")

SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


def begin_cluster(**head: Any) -> Any:
    from ray.cluster_utils import Cluster

    return patiently(lambda: Cluster(initialize_head=True, head_node_args={**SMALL, **head}))


def patiently(start: Callable[[], Any]) -> Any:
    """Start a node, on a busy machine again: Ray gives it thirty seconds, and no setting for more."""
    for tries_left in (2, 1, 0):
        try:
            return start()
        except Exception as error:
            if not tries_left or "timed out" not in str(error).lower():
                raise
    return None


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A head that does no trials, and two nodes that do one at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Or it ends workers for what the rest of the machine takes, its page cache included, and trials are done once more.
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        made = begin_cluster(num_cpus=0)
        try:
            for _ in range(2):
                patiently(lambda: made.add_node(num_cpus=1, object_store_memory=80 * 2**20))
            yield made
        finally:
            made.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """What tests share that leave it whole."""
    with two_nodes() as made:
        yield made


@pytest.fixture
def doomed() -> Iterator[Any]:
    """One of its own for a test that breaks it."""
    with two_nodes() as made:
        yield made


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As Ray gives a task of one core: rounding follows the number of threads, and a barely trained network's decisions that."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def swept(sweep: SweepConfig, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a sweep in a workspace of its own and return the folder with its tables."""
    monkeypatch.setenv("FAIRSAL_HOME", str(home))
    (out := home / "sweep").mkdir(parents=True)
    run_sweep(sweep, out, JobProgress())
    return out


@with_ray
@pytest.mark.filterwarnings("default")
def test_trials_survive_lost_workers_and_nodes(
    doomed: Any, drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [[1], [unlucky.LOSES_WORKER], [unlucky.LOSES_NODE], [unlucky.BAD]]
    jobs = {**worker.JOBS, "experiment": "tests.scaling.unlucky:run_job"}
    monkeypatch.setattr(worker, "JOBS", jobs)
    far = tmp_path / "cluster"
    killed: list[str] = []

    def kill_node() -> None:
        (node,) = [each for each in doomed.worker_nodes if each.node_id == (far / "node").read_text()]
        doomed.remove_node(node, allow_graceful=False)
        killed.append(node.node_id)

    killer = when((far / "node").exists, kill_node)
    on_ray = a_sweep(drawn_folder, grid={"seeds": seeds}, engine="ray", address=doomed.address)
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


def in_two(folder: Path, root: Path) -> Path:
    """Write a set as two folders that are one, the border being within a shard."""
    faces = load_celeba(folder)
    for name, rows in (("a", slice(0, 120)), ("b", slice(120, None))):
        folder_of_own(root / name, faces, rows)
    (root / "sets.txt").write_text("a\nb\n")
    return root


def when(condition: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Do something as soon as a condition holds, in a thread that has begun."""
    thread = threading.Thread(target=lambda: processes.wait_until(condition, 200) and act())
    thread.start()
    return thread


@with_ray
@pytest.mark.filterwarnings("default")
def test_a_lost_head_ends_the_sweep_which_goes_on_with_a_new_one(
    doomed: Any, drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "JOBS", {**worker.JOBS, "experiment": "tests.scaling.unlucky:run_job"})
    seeds = [[1], [unlucky.LOSES_HEAD]]
    home = tmp_path / "home"

    def one_is_done() -> bool:
        return (home / "head").exists() and '"finished"' in RunFiles(home / "sweep").trials.read_text()

    def kill_everything() -> None:
        for node in [doomed.head_node, *doomed.worker_nodes]:
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        doomed.head_node = None
        doomed.worker_nodes.clear()

    killer = when(one_is_done, kill_everything)
    on_ray = {"grid": {"seeds": seeds}, "engine": "ray"}
    with pytest.raises(FairsalError, match=r"The Ray cluster at .* was lost .* start it again, and then this"):
        swept(a_sweep(drawn_folder, **on_ray, address=doomed.address), home, monkeypatch)
    killer.join()
    assert [(trial.state, trial.run is None) for trial in read_sweep(home / "sweep")[0]] == [
        ("finished", False),
        ("interrupted", True),
    ]

    again = begin_cluster(num_cpus=1)
    try:
        (out := home / "again").mkdir()
        run_sweep(a_sweep(drawn_folder, **on_ray, address=again.address), out, JobProgress())
    finally:
        again.shutdown()
    assert [(trial.state, trial.reused) for trial in read_sweep(out)[0]] == [("finished", True), ("finished", False)]
    assert [len((home / f"attempts-{seed}").read_text()) for (seed,) in seeds] == [1, 2]


@with_ray
@pytest.mark.filterwarnings("default")
def test_a_cancelled_sweep_stops_its_trials(
    cluster: Any, drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "JOBS", {**worker.JOBS, "experiment": "tests.scaling.unlucky:run_job"})
    seeds = [[unlucky.WAITS + number] for number in range(4)]

    def both_places_are_taken() -> bool:
        if len(list(tmp_path.glob("home/attempts-*"))) < 2:
            return False
        return bool(states.append(cluster_state(cluster.address)) or states[-1]["waiting"] == 2)

    states: list[dict[str, float]] = []

    on_ray = a_sweep(drawn_folder, grid={"seeds": seeds}, engine="ray", address=cluster.address)
    with monkeypatch.context() as patch, pytest.raises(CancelledError):
        patch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))
        (out := tmp_path / "home" / "sweep").mkdir(parents=True)
        run_sweep(on_ray, out, JobProgress(cancelled=both_places_are_taken))
    assert {trial.state for trial in read_sweep(out)[0]} == {"cancelled"}
    assert [run.status.state for run in store.list_runs(tmp_path / "home" / "runs")] == ["cancelled", "cancelled"]
    assert len(list(tmp_path.glob("home/attempts-*"))) == 2  # those that waited for a place never began
    assert states[-1] == {"nodes": 3, "cpus": 2, "free_cpus": 0, "gpus": 0, "free_gpus": 0, "waiting": 2}


@with_ray
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("shared", [True, False])
def test_shards_are_the_whole(
    cluster: Any, drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setenv("FAIRSAL_SCRATCH", str(tmp_path / "scratch"))
    data = str(in_two(drawn_folder, tmp_path / "two") if shared else drawn_folder)
    classifier, listed = bundled_classifier("Eyeglasses"), list_faces(data)
    url = "" if shared else f"file://{tmp_path}/storage"
    engines = {"ray": on_ray("cpu", cluster.address, url), "here": None}
    maps = {}
    for home, engine in engines.items():
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / home))
        packed_in = packed_folder(listed, cache_folder())
        where = {"engine": engine, "storage_url": url if engine else ""}
        path = stored_maps(classifier, listed.in_split("test"), "margin", packed_in, size=10, **where)
        maps[home], names = open_maps(path)
        assert names == listed.in_split("test").names.tolist()
    np.testing.assert_allclose(maps["ray"][:], maps["here"][:], atol=1e-3)
    assert maps["ray"][:].std() > 0.01
    shards = {each.parent.name for each in tmp_path.glob("here/cache/shards/*/maps.npy")}
    assert len(shards) == 3
    found = "ray/cache/shards/*/maps.npy" if shared else "storage/cache/shards/*/*/maps.npy"
    parents = 1 if shared else 2
    assert {each.parts[-1 - parents] for each in tmp_path.glob(found)} == shards  # the same artifacts
    assert (tmp_path / "ray" / "cache" / "shards").exists() == shared


@with_ray
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("shared", [True, False])
def test_an_audit_is_that_of_one_machine_bit_for_bit(
    cluster: Any, drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setenv("FAIRSAL_SCRATCH", str(tmp_path / "scratch"))
    monkeypatch.setattr(scoring, "AT_ONCE", 10)
    torch.manual_seed(0)
    network, passes = build_classifier("three_conv").eval(), Passes()
    network.register_forward_pre_hook(passes)
    subject = Subject("new", 0, "three_conv", "new", lambda: network, lambda seed: network)
    upper = torch.zeros((128, 128), dtype=torch.bool)
    upper[:64] = True
    noise = Hiding("noise", Treatment(SCHEMES["general_noise"], upper, (0.5, 0.5, 0.5)), {"what": "upper"})
    data = str(in_two(drawn_folder, tmp_path / "two") if shared else drawn_folder)
    asked = {"data": data, "target": "Male", "confounder": "Blond_Hair", "subjects": ["new"]}
    lrp = ExplainerChoice.model_validate("lrp")
    said, maps, kept = {}, {}, {}
    for engine in ("ray", "local"):
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / engine))
        test = load_faces(data).in_split("test")
        url = f"file://{tmp_path}/storage" if engine == "ray" and not shared else ""
        config = parse_audit({**asked, "device": "cpu", "engine": engine, "address": cluster.address, "storage": url})
        engines = engines_of(config)
        for hiding in (None, noise):
            found = said_of(subject, test, hiding, engine=engines and engines.score)
            said[engine, hiding is None] = (found.logits, found.scores, found.features)
        explained = ExplainedFaces(test.take(range(6)), "Male", "Blond_Hair")
        if engines:
            engines.explain([subject], lrp, explained, silent)
            assert not passes.seen  # nothing was computed in this process
        maps[engine] = relevance_stage(subject, lrp, explained, torch.device("cpu")).make()
        kept[engine] = {each.parent.name for each in tmp_path.glob(f"{engine}/cache/scores/*/logits.npy")}
    for clean in (True, False):
        for there, here in zip(said["ray", clean], said["local", clean], strict=True):
            np.testing.assert_array_equal(there, here)
    np.testing.assert_array_equal(maps["ray"].maps, maps["local"].maps)
    pd.testing.assert_frame_equal(maps["ray"].numbers, maps["local"].numbers)
    assert kept["ray"] == kept["local"] and len(kept["ray"]) == 6  # the same artifacts, three of each


class Passes:
    """Counts the faces that pass through a network in the process that made it: sent elsewhere, it counts there."""

    def __init__(self) -> None:
        self.seen = 0

    def __deepcopy__(self, memo: Any) -> "Passes":
        return self

    def __call__(self, module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        self.seen += len(given[0])


def test_a_storage_without_a_cluster_is_one_sentence(drawn_folder: Path) -> None:
    asked = {"data": str(drawn_folder), "target": "Male", "confounder": "Blond_Hair", "subjects": ["new"]}
    with pytest.raises(FairsalError, match="add --engine ray, or leave it out"):
        engines_of(parse_audit({**asked, "storage": "file:///nowhere"}))


@with_ray
@pytest.mark.filterwarnings("default")
def test_the_command_maps_on_the_cluster(
    cluster: Any,
    drawn_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["attribute", "--regions", str(bundled_path("Eyeglasses")), "--data", str(drawn_folder)]
    command += ["--device", "cpu", "--json"]
    maps = {}
    for engine in ("ray", "local"):
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / engine))
        out = tmp_path / f"{engine}.npy"
        assert cli.main([*command, "--engine", engine, "--address", cluster.address, "--out", str(out)]) == 0
        assert json.loads(capsys.readouterr().out)["images"] == 24
        maps[engine] = np.load(out)
    np.testing.assert_allclose(maps["ray"], maps["local"], atol=2e-3)
    for engine in maps:
        assert len([*tmp_path.glob(f"{engine}/cache/shards/*/maps.npy")]) == 1


@with_ray
@pytest.mark.filterwarnings("default")
def test_no_cluster(drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FairsalError, match=r"The Ray cluster at 127\.0\.0\.1:9 does not answer"):
        cluster_state("127.0.0.1:9")
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


def test_a_trial_brings_the_cohort_that_is_its_confounder(
    drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cluster: where nodes share no workspace, the task carries what the node's own does not know."""
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "here"))
    names = [f"{number:06d}.jpg" for number in range(1, 31)]
    save_cohort("worst", str(drawn_folder), names)
    save_cohort("other", str(drawn_folder), names[:3])
    config = {"data": str(drawn_folder), "target": "Male", "confounder": make_column("worst")}
    make_column("other")
    trials = object.__new__(ray_cluster.RayTrials)
    trials._storage = ""
    assert trials._added(config) == []  # a shared workspace has it
    trials._storage = "file:///somewhere"
    added = trials._added(config)
    assert [content["name"] for content in added] == ["worst"]

    @contextmanager
    def at_work(storage_url: str) -> Iterator[None]:
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "there"))
        yield

    def run_here(*args: Any, **options: Any) -> Path:
        faces = list_faces(str(drawn_folder))
        assert faces.labels("cohort worst").sum() == 30 and "cohort other" not in faces.attributes
        raise FairsalError("seen")

    monkeypatch.setattr(ray_cluster, "at_work", at_work)
    monkeypatch.setattr(launcher, "run_here", run_here)
    with pytest.raises(FairsalError, match="seen"):
        ray_cluster.run_trial(config, "trial", {}, added=added)
