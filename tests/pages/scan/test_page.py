"""The Scan page: errors by attribute, cohorts, and what leads on from them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fairsal_core.drawing import demo_folder
from fairsal_core.faces import FaceDataset, list_faces, list_labels, load_faces
from fairsal_core.runs import Run, RunFiles, load_run
from fairsal_core.scan import kept_scan, list_cohorts, read_cohort, save_cohort
from tests.pages.conftest import OpenPage, texts
from tests.scan.conftest import MakeRun, make_run

__all__ = ["make_run"]


@pytest.fixture
def run(make_run: MakeRun, home: Path, drawn_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run whose original errs by Eyeglasses, on faces that are on offer."""
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(drawn_folder))
    return make_run()


def test_without_a_run_the_page_says_where_to_get_one(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.components.scan.view.example_run", lambda: None)
    app = open_page("scan")
    assert "No finished run has predictions yet" in texts(app)


def test_the_example_is_scanned_and_nothing_is_drawn_for_it(
    open_page: OpenPage, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.components.shared.data.list_labels", list_labels)
    monkeypatch.setattr("pages.components.shared.data.load_faces", None)
    st.cache_resource.clear()  # where the drawn set of other tests may stand for the whole one
    app = open_page("scan")
    assert not app.exception and not app.error
    assert "452 test faces" in texts(app)
    assert app.selectbox(key="scan_run").options[0].startswith("Example that ships with fairsal")
    assert len(app.get("image")) >= 12  # those that are shown are drawn one by one
    assert not demo_folder().exists()
    next(button for button in app.button if button.label == "Put into the report").click().run()
    assert "nothing is added" in texts(app) or "not made here" in texts(app)


def test_what_differs_is_named_first(open_page: OpenPage, run: Run) -> None:
    app = open_page("scan", run=run.id)
    assert "most surely by **Eyeglasses**" in texts(app)
    first = app.dataframe[0].value
    assert first["attribute"][0].startswith("Eyeglasses") and "differs" in first["verdict"][0]
    app.selectbox(key="scan_subject").set_value("general_mask@0.7, seed 0").run()
    assert not app.exception
    assert "No difference in errors is shown" in texts(app)
    assert "general_mask@0.7, seed 0" in str(app.query_params["subject"])


def test_groups_are_crossed_and_the_small_ones_named(open_page: OpenPage, run: Run) -> None:
    app = open_page("scan", run=run.id)
    app.multiselect(key="protected").set_value(
        ["Eyeglasses", "Bangs", "Wearing_Hat", "Smiling", "Wearing_Necktie"]
    ).run()
    assert not app.exception
    table = next(frame.value for frame in app.dataframe if "impact ratio" in frame.value.columns)
    assert len(table) == 30 and table["faces"].sum() == 240
    assert "are too small for a verdict" in texts(app)


def test_a_cohort_restricts_the_page_and_is_part_of_the_link(open_page: OpenPage, run: Run, drawn: FaceDataset) -> None:
    save_cohort("**some**", str(run.config["data"]), drawn.names[:120], "the first ones")
    app = open_page("scan", run=run.id, cohort="**some**")
    assert "120 test faces of the cohort" in texts(app)
    app.button(key="forget-**some**").click().run()
    assert list_cohorts() == [] and not app.exception


def test_a_link_to_what_is_gone_says_so(open_page: OpenPage, run: Run) -> None:
    app = open_page("scan", run=run.id, cohort="gone")
    assert "There is no cohort 'gone' here" in texts(app)


def test_the_report_has_the_scan_once_it_is_put_there(open_page: OpenPage, run: Run) -> None:
    app = open_page("scan", run=run.id)
    next(button for button in app.button if button.label == "Put into the report").click().run()
    assert not app.exception
    kept = kept_scan(run.path)
    assert kept is not None and kept.table["attribute"][0] == "Eyeglasses"
    assert load_run(run.path).problem is None
    next(button for button in app.button if button.label == "Put into the report")
    app.run()
    next(button for button in app.button if button.label == "Take it out").click().run()
    assert kept_scan(run.path) is None


def test_a_selection_becomes_a_cohort_an_attribute_and_a_confounder(
    open_page: OpenPage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.components.shared.data.load_faces", load_faces)  # what is read again has the new column
    app = open_page("scan", run=run.id)
    titles = app.selectbox(key="selection").options
    assert titles[0] == "The worst tenth, by score" and "Changed sides since original, seed 1: wrong now" in titles[1]
    name, save = (f"cohort-{what}-selection-{titles[0]}" for what in ("name", "save"))
    app.text_input(key=name).set_value("worst").run()
    app.button(key=save).click().run()
    assert len(read_cohort("worst").faces) == 24
    went: list[str] = []
    monkeypatch.setattr("streamlit.switch_page", went.append)
    app.run()
    app.button(key="train-worst").click().run()
    assert not app.exception and went == ["pages/training.py"]
    assert app.session_state["confounder"] == "cohort worst"
    faces = list_faces(str(run.config["data"]))
    assert set(faces.names[faces.labels("cohort worst")]) == set(read_cohort("worst").faces)
    app.run()
    assert "cohort worst" in app.multiselect(key="protected").options
    app.button(key="uncolumn-worst").click().run()
    assert "cohort worst" not in list_faces(str(run.config["data"])).attributes


def test_hiding_starts_an_audit_of_the_classifier_where_its_weights_are(
    open_page: OpenPage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> AppTest:
        app = open_page("scan", run=run.id)
        app.session_state["scan_rows"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
        return app.run()

    assert shown().button(key="hide-Eyeglasses").disabled
    weights = RunFiles(run.path).weights("original", 0)
    weights.parent.mkdir(parents=True)
    weights.touch()
    begun: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        "pages.components.scan.check.begin_run",
        lambda kind, settings, name: begun.append((kind, settings)) or run.id,
    )
    app = shown()
    app.button(key="hide-Eyeglasses").click().run()
    assert not app.exception
    ((kind, settings),) = begun
    assert kind == "audit" and settings["subjects"] == [f"{run.id}:original#0"]
    assert (settings["target"], settings["confounder"]) == ("Male", "Eyeglasses")
    assert run.id in str(app.query_params["check"])


def test_a_link_holds_what_is_opened_and_chosen(open_page: OpenPage, run: Run) -> None:
    app = open_page("scan", run=run.id)
    app.session_state["scan_rows"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    app.run()
    assert app.query_params["opened"] == "Eyeglasses"
    changed = app.selectbox(key="selection").options[1]
    other = open_page("scan", run=run.id, opened="Eyeglasses", selection=changed)
    assert other.button(key="hide-Eyeglasses") and not other.exception
    assert other.selectbox(key="selection").value == changed
    assert "opened" not in open_page("scan", run=run.id).query_params


def test_cohorts_are_columns(open_page: OpenPage, run: Run, drawn: FaceDataset) -> None:
    save_cohort("few", str(run.config["data"]), drawn.names[:3])
    labels = read_cohort("few").labels(pd.Index(drawn.names))
    assert labels.sum() == 3
    assert "few" in texts(open_page("scan", run=run.id))
