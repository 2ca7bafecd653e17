"""One reader's packed folder or stuck disk is not everybody's."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.drawing import DEMO
from fairsal_core.faces import FaceDataset
from fairsal_core.progress import Progress
from pages.components.shared import data, frame
from pages.components.shared.turns import Turns
from tests.conftest import MakeCeleba
from tests.pages.conftest import APP


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_no_more_than_there_are_at_once(pool: ThreadPoolExecutor) -> None:
    turns, at_once, most = Turns(2, seconds=60), [], []

    def work(_: int) -> None:
        with turns.one():
            at_once.append(1)
            most.append(len(at_once))
            time.sleep(0.01)
            at_once.pop()

    list(pool.map(work, range(20)))
    assert len(most) == 20
    assert max(most) == 2


def test_a_turn_that_is_kept_ends_by_itself(pool: ThreadPoolExecutor) -> None:
    turns, stuck, inside = Turns(1, seconds=0.2), threading.Event(), threading.Event()

    def keep() -> None:
        with turns.one():
            inside.set()
            stuck.wait(30)

    kept = pool.submit(keep)
    assert inside.wait(5)
    began = time.monotonic()
    with turns.one():
        assert 0.1 < time.monotonic() - began < 5
    stuck.set()
    kept.result(5)
    with turns.one():
        pass


def test_a_turn_that_was_given_back_is_free(pool: ThreadPoolExecutor) -> None:
    turns, stuck, inside = Turns(1, seconds=60), threading.Event(), threading.Event()

    def wait() -> None:
        with turns.one():
            turns.end()
            inside.set()
            stuck.wait(30)

    waiting = pool.submit(wait)
    assert inside.wait(5)
    with turns.one():
        stuck.set()
        waiting.result(5)  # whose end takes nobody's turn


@pytest.fixture
def packing(
    drawn: FaceDataset, home: Path, make_celeba: MakeCeleba, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[str], threading.Event]]:
    """Two folders whose packing goes on until the event is set, beside the drawn faces."""
    roots = [str(make_celeba(name)) for name in ("slow", "slower")]
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", os.pathsep.join(roots))
    done = threading.Event()

    def load(source: str, progress: Progress) -> FaceDataset:
        if source != DEMO:
            done.wait(60)
        return drawn

    monkeypatch.setattr("pages.components.shared.data.load_faces", load)
    yield roots, done
    done.set()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.timeout(120)
def test_drawn_faces_do_not_wait_while_folders_are_packed(
    packing: tuple[list[str], threading.Event], pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots, done = packing
    monkeypatch.setattr(frame, "_turns", Turns(2, seconds=600))
    began = threading.Semaphore(0)

    def pack(source: str) -> FaceDataset:
        with frame.in_turn("attribution"):
            began.release()
            return data.get_faces(source)

    waiting = [pool.submit(pack, source) for source in (*roots, roots[0])]
    for _ in waiting:  # a third reader has its turn although two are packing
        assert began.acquire(timeout=10)
    until(lambda: len(data._loading) >= 2)
    app = AppTest.from_file(APP, default_timeout=60)
    app.run()
    app.query_params["data"] = DEMO
    app.switch_page("pages/attribution.py").run()
    assert not app.exception
    assert not done.is_set()
    assert app.title[0].value == "Where does an attribute live?" and app.selectbox(key="attribute").value
    done.set()
    assert {id(one.result(10)) for one in waiting} == {id(data.get_faces(DEMO))}
