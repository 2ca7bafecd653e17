"""Finished runs on a real MLflow server, on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fairsal_core import cli
from fairsal_core.errors import FairsalError
from fairsal_core.reports import mirror, mirror_run
from fairsal_core.results import accuracy_and_gap, over_all_seeds, read_results
from fairsal_core.runs import Run, load_run, log_tail, seal_run, start
from tests.extras import needs
from tests.reports.conftest import MakeRun
from tests.runs.conftest import WORKER, ended

NOBODY = "http://127.0.0.1:9"
with_server = needs("mlflow", "flask", "flask_cors", "gunicorn", "sqlalchemy", "alembic")
with_client = needs("mlflow")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--gunicorn-opts", "--workers 1"]
    store = ["--backend-store-uri", f"sqlite:///{folder}/runs.db", "--artifacts-destination", str(folder / "files")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "log.txt").open("wb") as log:
        serving = subprocess.Popen(
            [sys.executable, "-m", *command, *store],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 240
        while not _answers(url):
            assert serving.poll() is None and time.monotonic() < deadline, (folder / "log.txt").read_text()
            time.sleep(0.1)
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(serving.pid, signal.SIGKILL)
        serving.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.fixture
def audit(make_run: MakeRun, drawn_folder: Path) -> Run:
    """A finished run that told two epochs of two variants."""
    run = make_run(confounder="Eyeglasses", data=str(drawn_folder))
    told = [
        {"time": 100.0 + epoch, "stage": f"{variant}, seed 0", "fraction": 0.5, "message": "", "loss": 1 / epoch}
        for variant in ("original", "general_mask@0.7")
        for epoch in (1, 2)
    ]
    lines = [*told, {"time": 110.0, "stage": "results", "fraction": 1.0, "message": "", "broken": None}]
    (run.path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run.path / "log.txt").write_text("one line\n")
    return run


def rest(server: str, path: str, **content: Any) -> Any:
    """Ask the server without any of mlflow's own code."""
    request = urllib.request.Request(f"{server}/api/2.0/mlflow/{path}")
    if content:
        request.data = json.dumps(content).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def runs_there(server: str, run: str) -> list[Any]:
    named = rest(server, "experiments/get-by-name?experiment_name=fairsal")["experiment"]["experiment_id"]
    return list(
        rest(server, "runs/search", experiment_ids=[named], filter=f"tags.`fairsal.run` = '{run}'").get("runs", [])
    )


def files_there(server: str, there: str, folder: str = "") -> list[str]:
    listed = rest(server, f"artifacts/list?run_id={there}&path={folder}").get("files", [])
    inside = [path for item in listed if item.get("is_dir") for path in files_there(server, there, item["path"])]
    return sorted([*inside, *(item["path"] for item in listed if not item.get("is_dir"))])


@with_server
def test_a_finished_run_is_mirrored_whole_and_once(server: str, audit: Run, capsys: pytest.CaptureFixture[str]) -> None:
    there = mirror_run(audit, server)
    (audit.path / "weights" / "balanced-seed0.safetensors").write_bytes(b"later")
    seal_run(audit.path)
    assert cli.main(["mirror", audit.id, "--uri", server, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mlflow_run"] == there

    (found,) = runs_there(server, audit.id)
    assert found["info"]["run_id"] == there
    assert (found["info"]["status"], found["info"]["run_name"]) == ("FINISHED", "Audit")
    assert (found["info"]["start_time"], found["info"]["end_time"]) == (1000, 2000)
    settings = {item["key"]: item["value"] for item in found["data"]["params"]}
    assert (settings["confounder"], settings["seeds"]) == ("Eyeglasses", "[0, 1]")
    assert settings["training.epochs"] == str(audit.config["training"]["epochs"])

    history = rest(server, f"metrics/get-history?run_id={there}&metric_key=general_mask%200.7%20seed%200/loss")
    points = [(point["step"], point["value"], point["timestamp"]) for point in history["metrics"]]
    assert points == [(1, 1.0, 101000), (2, 0.5, 102000)]  # each once, though mirrored twice
    metrics = {item["key"]: item["value"] for item in found["data"]["metrics"]}
    pooled = over_all_seeds(accuracy_and_gap(read_results(audit.path)))
    row = pooled[(pooled["variant"] == "balanced") & (pooled["evaluation"] == "clean") & (pooled["group"] == "men")]
    assert metrics["clean/balanced/accuracy men"] == pytest.approx(row["value"].item())
    assert not [name for name in metrics if "broken" in name]

    files = files_there(server, there)
    assert {"config.json", "log.txt", "results.parquet", "predictions.parquet", "report/report.html"} <= set(files)
    assert [name for name in files if name.startswith("weights/")] == [
        f"weights/{name}-seed{seed}.safetensors" for name, seed in (("balanced", 0), ("original", 0), ("original", 1))
    ]
    with urllib.request.urlopen(f"{server}/get-artifact?run_uuid={there}&path=results.parquet", timeout=20) as answer:
        assert answer.read() == (audit.path / "results.parquet").read_bytes()


@with_server
def test_a_run_is_mirrored_when_it_ends(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    run = start("quick", {"device": "cpu", "text": "x"}, command=WORKER)
    assert ended(run).state == "finished"
    assert "Mirrored" in _said(run)
    (found,) = runs_there(server, run.name)
    assert {item["key"] for item in found["data"]["metrics"]} == {"second/loss"}
    refused = start("breaks", {"device": "cpu"}, command=WORKER)
    assert ended(refused).state == "failed"
    assert runs_there(server, refused.name) == []


@with_client
def test_a_server_that_is_down_fails_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = start("quick", {"device": "cpu"}, command=WORKER)
    assert ended(run).state == "finished"
    assert f"could not be mirrored to {NOBODY}" in _said(run)
    assert load_run(run).status.state == "finished"


def _said(run: Path) -> str:
    """Wait for what the mirror says in the run's log, and return its one line."""
    deadline = time.monotonic() + 120
    while len(lines := log_tail(run).splitlines()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [lines[0], len(lines)] == ["all done", 2], lines
    return lines[1]


@with_client
def test_a_server_that_never_answers_is_given_up(audit: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(FairsalError, match=r"took longer than 1 s|could not be mirrored"):
            mirror_run(audit, url, seconds=1)
    assert time.monotonic() - begun < 20


def test_what_cannot_be_mirrored_says_so(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run = make_run()
    assert cli.main(["mirror", run.id]) == 1
    assert "MLFLOW_TRACKING_URI" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(FairsalError, match=r"pip install -r requirements-mlflow\.txt"):
        mirror_run(run, NOBODY)
    (run.path / "status.json").write_text('{"state": "cancelled"}')
    with pytest.raises(FairsalError, match="is cancelled: only a finished one"):
        mirror_run(load_run(run.path), NOBODY)


def test_the_time_limit_holds_in_any_thread() -> None:
    """Not by a signal, which only POSIX systems have and only a main thread hears."""
    never, heard = threading.Event(), []

    def wait() -> str:
        never.wait(60)
        return "too late"

    def ask() -> None:
        with pytest.raises(FairsalError, match=r"took longer than 0\.1 s"):
            mirror._within(0.1, wait)
        with pytest.raises(ZeroDivisionError):
            mirror._within(10, lambda: str(1 // 0))
        heard.append(mirror._within(10, lambda: "there"))

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(20)
    never.set()
    assert heard == ["there"]
