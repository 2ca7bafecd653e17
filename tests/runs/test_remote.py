"""Runs and artifacts under a URL: whole or not there, and enough for nodes that share no folder."""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest

from fairsal_core import cli
from fairsal_core.errors import FairsalError
from fairsal_core.runs import launcher, store, worker
from fairsal_core.runs import remote as storage
from fairsal_core.runs.artifacts import artifact
from fairsal_core.scaling.sweep import read_sweep
from tests.extras import needs, unless_missing
from tests.scaling import unlucky
from tests.scaling.test_ray_cluster import swept, two_nodes
from tests.scaling.test_sweep import a_sweep

FILES = {"config.json": b"{}", "weights/a.safetensors": bytes(range(256)) * 100, "empty": b""}


@pytest.fixture
def thing(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "thing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "thing" / "lock").touch()
    (tmp_path / "thing" / "link").symlink_to("/etc/hostname")
    return tmp_path / "thing"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "anyone")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("faces")
        yield "s3://faces/team"
    finally:
        server.stop()


@pytest.fixture
def local(tmp_path: Path) -> str:
    return f"file://{tmp_path}/storage"


@pytest.fixture
def memory(tmp_path: Path) -> str:
    return f"memory://{tmp_path.name}"


@pytest.mark.parametrize(
    "url", ["memory", "local", pytest.param("s3", marks=(pytest.mark.extras, unless_missing("moto", "s3fs")))]
)
@pytest.mark.filterwarnings("default")  # of the servers and clients
def test_what_is_pushed_is_fetched_whole_or_not_at_all(
    url: str, thing: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue(url)
    name, out = "runs/20260101-000000-x-0000", tmp_path / "out" / "thing"
    storage.prepare(url)
    assert storage.names(url, "runs") == []
    assert not storage.is_whole(url, name)
    assert not storage.fetch(url, name, out)

    with monkeypatch.context() as patch, pytest.raises(FairsalError, match="the network is gone"):
        patch.setattr(storage, "write_file", half_a_file)
        storage.push(thing, url, name)
    assert storage.names(url, "runs") == [name]  # begun
    assert not storage.is_whole(url, name)
    assert not storage.fetch(url, name, out)

    storage.push(thing, url, name, frozenset({"lock"}))
    assert storage.is_whole(url, name)
    assert storage.fetch(url, name, out)
    assert {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()} == FILES
    assert list(out.parent.glob(".*")) == []

    files, root = fsspec.url_to_fs(url)
    about = json.loads(files.cat_file(f"{root}/{name}/{storage.MANIFEST}"))
    assert about["files"]["weights/a.safetensors"] == {
        "bytes": 25600,
        "sha256": hashlib.sha256(FILES["weights/a.safetensors"]).hexdigest(),
    }
    files.pipe_file(f"{root}/{name}/{about['upload']}/config.json", b"[]")
    assert not storage.fetch(url, name, tmp_path / "damaged")
    storage.push(thing, url, name)  # by whoever makes it again
    assert storage.fetch(url, name, tmp_path / "mended")


def half_a_file(files: Any, source: Path, target: str) -> Any:
    if source.name != "config.json":
        raise ConnectionError("the network is gone")
    files.pipe_file(target, source.read_bytes())
    return {}


def test_a_manifest_leads_nowhere_else(memory: str, thing: Path, tmp_path: Path) -> None:
    storage.push(thing, memory, "runs/x")
    files, root = fsspec.url_to_fs(memory)
    path = f"{root}/runs/x/{storage.MANIFEST}"
    about = json.loads(files.cat_file(path))
    files.pipe_file(path, json.dumps({**about, "files": {"../../evil": about["files"]["config.json"]}}).encode())
    with pytest.raises(FairsalError, match="outside of its folder"):
        storage.fetch(memory, "runs/x", tmp_path / "out")
    files.pipe_file(path, b'{"upload": "half a mani')
    assert not storage.fetch(memory, "runs/x", tmp_path / "out")


def test_an_artifact_is_made_on_one_machine_and_fetched_on_another(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def build(folder: Path) -> None:
        made.append(folder.name)
        (folder / "maps.npy").write_bytes(b"maps")

    for machine in ("one", "two"):
        monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / machine))
        for _ in range(2):
            with storage.using(memory):
                path = artifact("maps", {"of": "a face"}, build)
            assert path.is_relative_to(tmp_path / machine)
            assert sorted(file.name for file in path.iterdir()) == ["depends_on.json", "manifest.json", "maps.npy"]
    assert len(made) == 1
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "three"))
    artifact("maps", {"of": "a face"}, build)
    assert (len(made), storage.in_use()) == (2, "")


def test_storage_that_cannot_be_used_says_why(
    drawn_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FairsalError, match=r"no URL, such as s3://BUCKET/FOLDER; for a mounted path set FAIRSAL_HOME"):
        storage.prepare(str(tmp_path))
    with pytest.raises(FairsalError, match=r"storage carrier://pigeon cannot be used: .*not known"):
        storage.prepare("carrier://pigeon")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(FairsalError, match=r"gs:// needs gcsfs here and on every node: pip install gcsfs"):
        storage.prepare("gs://faces")
    with pytest.raises(FairsalError, match=r"for the nodes of a cluster: add --engine ray"):
        swept(a_sweep(drawn_folder, storage="s3://faces"), tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(FairsalError, match=r"pip install -r requirements-ray\.txt"):
        storage.prepare("s3://faces")
    with pytest.raises(SystemExit):
        cli.main(["sweep", "--help"])
    assert "--storage" in capsys.readouterr().out


def test_a_scratch_folder_is_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSAL_SCRATCH", str(tmp_path))
    homes = {storage.scratch_home(url, node) for url in ("s3://a", "s3://b") for node in ("1", "2", "1")}
    assert len(homes) == 4
    assert {home.parent.stat().st_mode & 0o777 for home in homes} == {0o700}
    monkeypatch.setattr(storage.os, "getuid", iter([4711, 4712]).__next__)
    with pytest.raises(FairsalError, match="belongs to someone else"):
        storage.scratch_home("s3://a", "1")


@needs("ray")
@pytest.mark.filterwarnings("default")
def test_nodes_that_share_no_workspace(
    drawn_folder: Path, tmp_path: Path, local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = {**worker.JOBS, "experiment": "tests.scaling.unlucky:run_job"}
    monkeypatch.setenv("FAIRSAL_SCRATCH", str(tmp_path / "scratch"))
    there = tmp_path / "storage"
    seeds = [[1], [unlucky.LOSES_UPLOAD], [unlucky.LOSES_WORKER], [unlucky.BAD]]

    def attempts() -> list[int]:
        return [len((tmp_path / f"attempts-{seed}").read_text()) for (seed,) in seeds]

    with two_nodes() as cluster:
        on_ray = {"engine": "ray", "address": cluster.address, "storage": local}
        with monkeypatch.context() as patch:
            patch.setattr(worker, "JOBS", jobs)
            head = swept(a_sweep(drawn_folder, grid={"seeds": seeds}, **on_ray), tmp_path / "head", monkeypatch)
        trials, table, _ = read_sweep(head)
        assert [trial.state for trial in trials] == ["finished", "finished", "finished", "failed"]
        assert trials[3].error == "This can never work."
        ended = {run.id: run.status.state for run in store.list_runs()}
        assert ended == {str(trial.run): trial.state for trial in trials}  # each once
        assert len(list(tmp_path.glob("scratch/*/*/"))) == 2  # a home for each node
        before = attempts()
        assert [before[0], *before[2:]] == [1, 2, 1]
        assert len(list(there.glob(f"runs/*/{storage.MANIFEST}"))) == 3
        assert (
            len([path for path in there.glob("runs/*/*") if path.is_dir()]) == 4
        )  # of one, files that nobody looks at

        # Someone else, later: all that was finished is fetched, and nothing is done again.
        second = swept(a_sweep(drawn_folder, grid={"seeds": seeds[:3]}, **on_ray), tmp_path / "second", monkeypatch)
        again = read_sweep(second)
        assert [(trial.state, trial.reused) for trial in again[0]] == [("finished", True)] * 3
        assert attempts() == before
        pd.testing.assert_frame_equal(again[1], table)

    monkeypatch.setattr(launcher, "start", launcher.run_here)
    here = swept(a_sweep(drawn_folder, grid={"seeds": seeds[:3]}), tmp_path / "here", monkeypatch)
    pd.testing.assert_frame_equal(table.drop(columns="run"), read_sweep(here)[1].drop(columns="run"))
