"""Pages on the small drawn set, each test with a workspace of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fairsal_core.faces import FaceDataset
from fairsal_core.progress import Progress

APP = str(Path(__file__).resolve().parents[2] / "app.py")
OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page(drawn: FaceDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenPage:
    """Open a page of the app, e.g. `open_page("training", run="…")`, on 240 faces in the place of 6,000."""

    def load_faces(source: str, progress: Progress) -> FaceDataset:
        return drawn

    monkeypatch.setattr("pages.components.data.load_faces", load_faces)
    monkeypatch.setenv("FAIRSAL_HOME", str(tmp_path / "home"))
    st.cache_resource.clear()
    st.cache_data.clear()

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
