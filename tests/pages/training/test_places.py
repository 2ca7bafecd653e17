"""Training says where jobs run, and no cluster holds it up."""

import threading
import time

import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.errors import FairsalError
from fairsal_core.runs import cancel, list_runs, processes
from fairsal_core.runs.store import create_locked_run
from pages.components.training import places
from tests.pages.conftest import OpenPage, texts


def wait_for(app: AppTest, words: str) -> None:
    """Look at the page again until it says this."""
    deadline = time.monotonic() + 60
    while words not in texts(app):
        assert time.monotonic() < deadline, texts(app)
        app.run()


def test_it_says_where_jobs_run(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    app = open_page("training")
    _, lock = create_locked_run("experiment", {})
    app.run()
    processes.unlock(lock)
    assert "Jobs run on this machine (" in texts(app)
    assert " cores, " in texts(app)
    assert "0 running, 1 waiting" in texts(app)
    assert "Ray" not in texts(app)


def test_a_cluster_that_is_not_there(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    app = open_page("training")
    wait_for(app, "The Ray cluster at 127.0.0.1:9 does not answer")
    assert "Jobs on this machine go on without it." in texts(app)
    app.checkbox(key="sweep_on_cluster").check().run()
    app.button(key="start_sweep").click().run()
    (run,) = list_runs()
    assert (run.config["engine"], run.config["address"]) == ("ray", "127.0.0.1:9")
    cancel(run.path)


def test_a_slow_cluster_does_not_hold_up_the_page(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def ask(address: str) -> str:
        if not answer.wait(200):
            raise FairsalError("Nobody let it answer.")
        return "3 nodes, 6 of 8 CPUs and 0 of 0 GPUs free, 2 tasks waiting"

    monkeypatch.setattr(places, "ask_cluster", ask)
    monkeypatch.setenv("RAY_ADDRESS", "cluster:6379")
    app = open_page("training")
    assert "Ray cluster at cluster:6379: asking." in texts(app)
    answer.set()
    wait_for(app, "Ray cluster at cluster:6379: 3 nodes, 6 of 8 CPUs and 0 of 0 GPUs free, 2 tasks waiting.")
