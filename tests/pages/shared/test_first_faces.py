"""What an empty workspace shows while the drawn set is made."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairsal_core.drawing import draw_demo_faces
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.progress import Progress, silent
from pages.components.shared import first_faces
from tests.pages.conftest import OpenPage, texts

PLACE = "pages.components.shared.first_faces"


@pytest.fixture
def go_on(
    open_page: OpenPage, drawn: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[threading.Event]:
    """An empty workspace, in which the whole set is made when this event is set."""
    event, folder = threading.Event(), tmp_path / "demo"

    def load(source: str, progress: Progress = silent) -> FaceDataset:
        if source != "demo":
            return load_faces(source)
        progress(300, 6000, "drawing demo faces")
        event.wait(60)
        if (tmp_path / "full").exists():
            raise FairsalError("The disk is full.")
        folder.mkdir(exist_ok=True)
        return drawn

    monkeypatch.setattr(f"{PLACE}.load_faces", load)
    monkeypatch.setattr(f"{PLACE}.demo_folder", lambda: folder)
    first_faces._making.clear()
    yield event
    event.set()
    first_faces._making.clear()


def finish(event: threading.Event) -> None:
    event.set()
    thread = first_faces._making().thread
    assert thread is not None
    thread.join(60)


def test_the_first_faces_are_shown_while_the_rest_are_drawn(
    go_on: threading.Event, open_page: OpenPage, drawn: FaceDataset
) -> None:
    app = open_page("attribution")
    assert "All patches together say" in texts(app)
    assert "Drawing demo faces: 300 of 6,000" in app.get("progress")[0].proto.text
    most = app.number_input(key="face").max
    assert 0 < most < len(drawn.in_split("test"))
    finish(go_on)
    app.run()
    assert app.number_input(key="face").max == len(drawn.in_split("test"))


def test_a_link_to_a_face_waits_for_the_whole(go_on: threading.Event, open_page: OpenPage, drawn: FaceDataset) -> None:
    app = open_page("attribution", face="9")
    assert app.number_input(key="face").value == 9
    assert first_faces._making().thread is None


def test_a_link_to_one_of_the_first_faces_does_not(go_on: threading.Event, open_page: OpenPage) -> None:
    app = open_page("attribution", face="4")
    assert app.number_input(key="face").value == 4
    assert app.number_input(key="face").max == first_faces.FIRST_HELD_OUT


def test_what_stops_the_drawing_is_said_and_tried_again(
    go_on: threading.Event, open_page: OpenPage, tmp_path: Path
) -> None:
    app = open_page("attribution")
    (tmp_path / "full").touch()
    finish(go_on)
    app.run()
    assert [error.value for error in app.error] == ["The disk is full."]
    (tmp_path / "full").unlink()
    app.run()
    assert not app.error


def test_the_first_faces_are_those_of_the_whole(drawn: FaceDataset, tmp_path: Path) -> None:
    first = load_faces(str(draw_demo_faces(tmp_path / "first", first_faces.FIRST, workers=1)))
    few = drawn.take(list(range(first_faces.FIRST)))
    assert (first.images == few.images).all()
    assert first.attributes.equals(few.attributes)
    assert first.split.astype(str).equals(few.split.astype(str))
