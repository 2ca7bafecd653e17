"""Pages work on the set as it is now, and look often enough at a price that nobody notices."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image

from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.progress import Progress
from pages.components.shared import data
from pages.components.shared.data import get_faces
from tests.conftest import MakeCeleba


@pytest.fixture
def root(make_celeba: MakeCeleba, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set that was written an hour ago, on offer."""
    root = make_celeba(count=12)
    for path in (*root.rglob("*"), root):
        os.utime(path, ns=(10**18, 10**18))
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(root))
    data._loaded().clear()
    return root


def test_a_set_that_did_not_change_is_read_once(root: Path) -> None:
    assert get_faces(str(root)) is get_faces(str(root))


def test_labels_that_change_are_the_pages_labels_too(root: Path) -> None:
    before = get_faces(str(root)).labels("Male")
    table = root / "list_attr_celeba.txt"
    lines = table.read_text().splitlines()
    swapped = [line.replace("-1", "?").replace(" 1", " -1").replace("?", " 1") for line in lines[2:]]
    table.write_text("\n".join([*lines[:2], *swapped]) + "\n")
    np.testing.assert_array_equal(get_faces(str(root)).labels("Male"), ~before)
    np.testing.assert_array_equal(load_faces(str(root)).labels("Male"), ~before)  # what a run reads


def test_what_pages_computed_of_a_set_that_changed_is_forgotten(root: Path) -> None:
    calls = []

    @st.cache_data
    def computed(source: str) -> int:
        calls.append(source)
        return len(get_faces(source))

    get_faces(str(root))
    assert [computed(str(root)), computed(str(root)), len(calls)] == [12, 12, 1]
    (root / "list_eval_partition.txt").touch()
    get_faces(str(root))
    assert [computed(str(root)), len(calls)] == [12, 2]


def test_a_picture_written_over_in_place_is_seen_after_a_while(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = np.array(get_faces(str(root)).images[3])
    picture = root / "img_align_celeba" / "000004.jpg"
    content = picture.read_bytes()
    Image.new("RGB", (178, 218), "white").save(picture)
    picture.write_bytes(picture.read_bytes().ljust(len(content), b"\0"))  # as long as it was
    np.testing.assert_array_equal(get_faces(str(root)).images[3], before)  # looked at a moment ago
    data._loaded()[str(root)].looked -= data._LEAST_SECONDS
    assert (get_faces(str(root)).images[3] > 250).all()


def test_looking_takes_a_hundredth_of_the_time_at_most(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get_faces(str(root))
    looks = []
    monkeypatch.setattr(data, "have_changed", lambda faces: looks.append(faces) or False)
    loaded = data._loaded()[str(root)]
    loaded.look_seconds, loaded.looked = 1.0, loaded.looked - 50
    get_faces(str(root))
    assert not looks
    loaded.looked -= 51
    get_faces(str(root))
    assert len(looks) == 1


def test_what_was_written_as_it_was_read_is_read_once_more(root: Path) -> None:
    (root / "list_eval_partition.txt").touch()
    first = get_faces(str(root))
    assert get_faces(str(root)) is not first


def test_a_session_that_waits_for_another_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end, shown = threading.Event(), threading.Event(), []
    load = data.load_faces

    def slow(source: str, progress: Progress) -> FaceDataset:
        progress(3, 12, "packing faces")
        begun.set()
        assert may_end.wait(30)
        return load(source, progress)

    class Place:
        def progress(self, fraction: float, text: str) -> None:
            shown.append((fraction, text))
            if "Another session" in text:
                may_end.set()

        def empty(self) -> None:
            pass

    monkeypatch.setattr(data, "load_faces", slow)
    monkeypatch.setattr(data, "_SHORT", 0.02)
    monkeypatch.setattr(data.st, "empty", Place)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get_faces, str(root))
        assert begun.wait(30)
        second = get_faces(str(root))
        assert first.result(30) is second
    waited = [one for one in shown if "Another session" in one[1]]
    assert waited[0][0] == 0.25
    assert waited[0][1].startswith("Packing faces, this once: 3 of 12")
    assert waited[0][1].endswith("Another session began it; this page goes on when it is done.")
