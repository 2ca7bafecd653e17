"""The Data page, without a browser."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.drawing import draw_face
from fairsal_core.faces import draw_fairface, kept_mapping
from tests.pages.conftest import APP, texts

Open = Callable[[Path], AppTest]


@pytest.fixture
def open_data(home: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    def open_(folder: Path) -> AppTest:
        monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(folder))
        app = AppTest.from_file(APP, default_timeout=60)
        app.session_state["data"] = str(folder)
        app.run().switch_page("pages/data.py").run()
        assert not app.exception
        return app

    return open_


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Sixteen faces, of which one is there twice, under a table with a hole."""
    root = tmp_path / "own"
    (root / "img").mkdir(parents=True)
    lines = ["photo,hat,race"]
    for number in range(16):
        draw_face(0, number % 15 + 1).image.save(root / "img" / f"{number}.jpg")
        lines.append(f"{number}.jpg,{number % 2 if number else ''},{'Black' if number % 3 else 'White'}")
    (root / "labels.csv").write_text("\n".join(lines))
    return root


def test_columns_faces_and_groups_are_shown(open_data: Open, own: Path) -> None:
    app = open_data(own)
    table = app.dataframe[0].value
    assert table["attribute"].tolist() == ["hat", "race"]
    assert table["missing"].tolist() == [1, 0]
    assert "1 = yes, 0 = no" in table["what its texts mean"][0]
    shown = texts(app)
    assert "picture: **photo**" in shown
    assert "No split is given: one was drawn" in shown
    assert "hat: missing" in shown
    assert "race: Black" in shown
    assert sum("· train" in one.value or "· val" in one.value or "· test" in one.value for one in app.caption) == 12
    assert {"hat", "race", "train", "val", "test"} == set(app.dataframe[1].value.columns)


def test_a_mapping_can_be_changed_kept_and_given_back(open_data: Open, own: Path) -> None:
    app = open_data(own)
    area = app.text_area[0]
    content = json.loads(area.value)
    content["attributes"][0]["values"]["1"] = "sometimes"
    area.set_value(json.dumps(content)).run()
    app.button(key="keep_mapping").click().run()
    assert ["not 'sometimes'" in error.value for error in app.error] == [True]
    content["attributes"][0]["values"]["1"] = "yes"
    content["attributes"][0]["name"] = "cap"
    content["target"] = "cap"
    app.text_area[0].set_value(json.dumps(content)).run()
    app.button(key="keep_mapping").click().run()
    assert not app.exception
    assert app.dataframe[0].value["attribute"].tolist() == ["cap", "race"]
    assert "kept for this folder" in texts(app)
    kept = kept_mapping(own)
    assert kept is not None
    assert kept.target == "cap"
    app.button(key="forget_mapping").click().run()
    assert app.dataframe[0].value["attribute"].tolist() == ["hat", "race"]


def test_the_audit_is_made_when_asked_for(open_data: Open, own: Path) -> None:
    app = open_data(own)
    assert len(app.metric) == 0
    app.toggle(key="audit").set_value(True).run()
    assert not app.exception
    figures = {one.label: one.value for one in app.metric}
    assert figures["Equal pictures"] == "1"
    assert figures["Persons in two splits"] == "unknown"
    assert figures["Without a face"].endswith(" of 16")
    assert "In all 16 pictures a face was looked for: none was found in " in texts(app)
    assert "the same picture: img/0.jpg, img/15.jpg" in texts(app)


def test_fairface_has_a_page(open_data: Open, tmp_path: Path) -> None:
    app = open_data(draw_fairface(tmp_path / "fairface", count=80))
    assert "has no test split: half of its validation faces are one" in texts(app)
    assert app.dataframe[0].value["attribute"].tolist() == ["age", "gender", "race"]


def test_a_folder_that_does_not_read_is_one_sentence(open_data: Open, own: Path) -> None:
    (own / "labels.csv").write_text("<html></html>")
    app = open_data(own)
    assert ["this is a web page" in error.value for error in app.error] == [True]
