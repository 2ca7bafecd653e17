"""Whatever lies in the data folders or is uploaded, a page says one sentence and never shows a traceback."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, load_faces
from fairsal_core.progress import Progress
from pages.components.shared.data import get_faces
from tests.conftest import MakeCeleba
from tests.faces.bounds import MOST_BYTES, bounded, one_sentence
from tests.faces.corpus import ABSENT, DRAWN, FIVE, FOLDERS, HOLE, IMAGES
from tests.pages.conftest import APP, OpenPage, read, texts
from tests.reports.conftest import MakeRun, make_run  # noqa: F401

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def folders(drawn: FaceDataset, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Path]], None]:
    """Offer these folders as data, beside a small set in the place of the 6,000 drawn faces."""

    def load(source: str, progress: Progress) -> FaceDataset:
        return drawn if source == DEMO else load_faces(source, progress)

    def offer(roots: list[Path]) -> None:
        monkeypatch.setenv("FAIRSAL_DATA_ROOTS", os.pathsep.join(map(str, roots)))

    monkeypatch.setattr("pages.components.shared.data.load_faces", load)
    return offer


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about some of the damage it can live with
def test_every_upload_is_a_face_or_one_sentence(open_page: OpenPage) -> None:
    app = open_page("attribution", origin="Upload")
    for name, make, expected in IMAGES:
        app.file_uploader(key="upload").set_value((f"{name}.png", make(), "image/png"))
        with bounded(name, 2 * MOST_BYTES):  # a page holds more than the picture, and what it loaded at first use
            app.run()
        assert not app.exception, name
        told = [read(error.value) for error in app.error]
        if told:
            assert [text.startswith(f"{name}.png ") for text in told] == [True], name
            one_sentence(told[0], expected)
        else:
            assert "image" in expected.split("|"), name
            assert f"**{name}.png**" in texts(app)


@pytest.mark.parametrize("page", ["attribution", "training"])
def test_every_folder_is_faces_or_one_sentence(
    page: str, make_celeba: MakeCeleba, folders: Callable[[list[Path]], None]
) -> None:
    roots = [
        case.damage(root) or root
        for number, case in enumerate(FOLDERS)
        for root in [make_celeba(f"root-{number}/faces", layout=case.layout)]
    ]
    folders(roots)
    app = AppTest.from_file(APP, default_timeout=60)
    app.run()
    app.switch_page(f"pages/{page}.py").run()
    for root, case in zip(roots, FOLDERS, strict=True):
        app.selectbox(key="data").set_value(str(root))
        with bounded(case.name):
            app.run()
        assert not app.exception, case.name
        if case.expected in ("faces", HOLE, DRAWN, FIVE, ABSENT):
            assert len(get_faces(str(root))) == (5 if case.expected in (FIVE, ABSENT) else 6), case.name
        else:
            assert len(app.error) == 1, case.name
            one_sentence(read(app.error[0].value), case.expected)


PICTURE = "![x](https://example.org/x.png)"


def test_what_a_link_or_a_file_says_is_shown_and_never_drawn(open_page: OpenPage, make_run: MakeRun) -> None:  # noqa: F811
    """A picture on another's server would tell it who looks."""
    run = make_run(name=PICTURE)
    app = open_page("attribution", origin="Upload")
    app.file_uploader(key="upload").set_value((f"{PICTURE}.png", b"no image", "image/png")).run()
    shown = [app]
    shown += [open_page("training", run=name) for name in (run.id, PICTURE)]
    shown += [open_page("comparison", run=PICTURE), open_page("start")]
    shown += [open_page("comparison", run=run.id, **{field: PICTURE}) for field in ("face", "variants")]
    for page in shown:
        told = texts(page) + "".join(link.proto.label for link in page.get("page_link"))
        assert PICTURE in read(told)
        assert PICTURE not in told


def test_a_folder_that_is_not_on_offer_is_refused(tmp_path: Path) -> None:
    for folder in ("/etc", str(tmp_path), "../..", ""):
        with pytest.raises(FairsalError, match="is not among the data on offer"):
            get_faces(folder)


def test_a_cache_that_cannot_be_written_is_one_sentence(
    make_celeba: MakeCeleba, home: Path, folders: Callable[[list[Path]], None]
) -> None:
    root = make_celeba()
    (home / "cache").write_text("a file where the cache should be")
    folders([root])
    app = AppTest.from_file(APP, default_timeout=60)
    app.run()
    app.switch_page("pages/attribution.py").run()
    app.selectbox(key="data").set_value(str(root)).run()
    assert not app.exception
    assert ["cache" in error.value for error in app.error] == [True]
