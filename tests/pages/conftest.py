"""Pages on the small drawn set, each test with a workspace of its own."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fairsal_core.costs import Probed
from fairsal_core.costs.attribution import MapPaces
from fairsal_core.costs.audit import AuditPaces, SubjectPace
from fairsal_core.costs.experiment import Paces
from fairsal_core.costs.explain import ExplainPaces
from fairsal_core.costs.regions import RegionPaces
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.progress import Progress
from fairsal_core.runs import run_here
from fairsal_core.settings import parse_config
from pages.components.shared import told
from tests.helpers import put_bundled

APP = str(Path(__file__).resolve().parents[2] / "app.py")
OpenPage = Callable[..., AppTest]
FinishRun = Callable[..., Path]
TINY = {
    "counts": "0,12,8,4",
    "training": {"epochs": 1, "batch_size": 8},
    "test_per_cell": 1,
    "regions": {"images": 40, "epochs": 1, "validation_images": 24},
    "device": "cpu",
}
UNTREATED = {
    "counts": "2,8,6,4",
    "schemes": [],
    "balanced": False,
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 2,
    "attention": {"explainers": ["none"]},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace that the pages see, empty."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("FAIRSAL_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of artifacts: what one run trained here, the next finds."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def finish_run(home: Path, trained: Path, drawn_folder: Path) -> FinishRun:
    """Do a tiny experiment on the drawn set in the pages' workspace, e.g. `finish_run(balanced=False)`."""
    (home / "cache").symlink_to(trained)

    def finish(**settings: object) -> Path:
        config = parse_config({"data": str(drawn_folder), **TINY, **settings})
        if config.schemes:
            put_bundled(config)
        return run_here("experiment", config.model_dump(mode="json"), name="tiny")

    return finish


@pytest.fixture(scope="session", autouse=True)
def _nothing_kept() -> None:
    """Begin without what other tests left in streamlit's caches; their keys keep these tests apart, as they do readers."""
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(autouse=True)
def _no_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the net under the sections away: in it our own mistakes would not be seen."""
    monkeypatch.setattr(told, "CAUGHT", ())


@pytest.fixture(autouse=True)
def _nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the drawn set be there for all pages: a thread that drew 6,000 faces would outlive the test that began it."""
    monkeypatch.setattr("pages.components.shared.first_faces.demo_folder", lambda: Path(__file__).parent)


@pytest.fixture(autouse=True)
def _nothing_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every machine train 100 images a second: a child that measured it would slow other tests and outlive its own."""
    paces = {
        "experiment": Paces(
            regions=50.0,
            maps=100.0,
            training=100.0,
            explaining={"lrp": 10.0, "ig": 5.0},
            beside_another=60.0,
            treated=100.0,
        ),
        "regions": RegionPaces(50.0, 100.0),
        "attribution": MapPaces(100.0, 338),
        "explain": ExplainPaces({"lrp": 10.0}),
    }

    def probe_aside(kind: str, content: Mapping[str, Any]) -> Probed[Any]:
        if kind == "audit":
            of_one = SubjectPace(50.0, {"lrp": 10.0})
            return Probed(AuditPaces(dict.fromkeys(content["subjects"], of_one), 0.0, 50.0), 10**9)
        if kind not in paces:
            raise FairsalError("Nothing is measured while pages are tested.")
        return Probed(paces[kind], 10**9)

    monkeypatch.setattr("pages.components.shared.estimate.probe_aside", probe_aside)


@pytest.fixture
def open_page(drawn: FaceDataset, home: Path, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page of the app, e.g. `open_page("training", run="…")`, on 240 faces in the place of 6,000."""

    def load_faces(source: str, progress: Progress) -> FaceDataset:
        return drawn

    monkeypatch.setattr("pages.components.shared.data.load_faces", load_faces)
    monkeypatch.setattr("pages.components.shared.data.list_labels", lambda source: drawn)

    def open_(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(APP, default_timeout=60)
        app.run()
        for name, value in query.items():
            app.query_params[name] = value
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
        return app

    return open_


def texts(app: AppTest) -> str:
    """Everything a reader of the page finds in prose."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def read(markdown: str) -> str:
    """Return what a reader sees of text that is shown letter by letter."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown.replace("\u2060", ""))
