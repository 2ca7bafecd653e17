"""The Audit page, without a browser: from an uploaded table to a run that Comparison shows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.faces import FaceDataset
from fairsal_core.results import DIFFERENCE, ELSEWHERE, HIDDEN_COLUMNS, REGION, hidden_in_words
from fairsal_core.runs import list_runs, run_here
from pages.components.audit import starting
from tests.pages.conftest import UNTREATED, FinishRun, OpenPage, read, texts


@pytest.fixture
def table(drawn: FaceDataset) -> bytes:
    generator = np.random.default_rng(0)
    right = np.where(drawn.labels("Male"), 0.8, 0.2)
    columns = {
        "file_name": drawn.names,
        "hair": np.where(drawn.labels("Blond_Hair"), 0.3, 0.7),
        "good": np.clip(right + generator.normal(0, 0.1, len(drawn)), 0, 1).round(3),
    }
    return pd.DataFrame(columns).to_csv(index=False).encode()


def test_an_empty_page_says_what_to_bring(open_page: OpenPage) -> None:
    app = open_page("audit")
    assert "Nothing was brought yet" in texts(app)
    assert app.button(key="audit_start").disabled
    assert app.code[0].value.startswith("file_name,score")


def test_a_table_is_understood_and_audited(
    open_page: OpenPage, drawn_folder: Path, table: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(kind: str, settings: dict[str, object], name: str) -> str:
        return run_here(kind, {**settings, "data": str(drawn_folder)}, name=name).name

    monkeypatch.setattr(starting, "begin_run", begin)
    app = open_page("audit", target="Male", protected="Blond_Hair")
    app.file_uploader(key="audit_uploads").set_value(("two models.csv", table, "text/csv")).run()
    assert not app.exception
    shown = app.dataframe[0].value.iloc[0]
    assert (shown["table"], shown["face"]) == ("two models.csv", "file_name")
    assert (shown["models"], shown["predictions"]) == ("hair, good", 480)
    assert "good: yes above a score of 0.5." in read(texts(app))
    assert app.dataframe[1].value["as common as they are"].sum() == 240
    app.button(key="audit_start").click().run()
    assert not app.exception
    (run,) = list_runs()
    assert (run.kind, run.status.state, run.status.error) == ("audit", "finished", None)
    assert app.query_params["run"] == run.id

    comparison = open_page("comparison", run=run.id, tab="Attention")
    said = read(texts(comparison))
    assert "test faces in equal cells · these faces, as common as they are" in said
    assert "These are predictions alone" in said
    assert list(comparison.selectbox(key="reference").options) == ["hair", "good"]


def test_the_link_reproduces_the_view(open_page: OpenPage, table: bytes) -> None:
    app = open_page("audit", target="Male", protected="Blond_Hair")
    app.file_uploader(key="audit_uploads").set_value(("m.csv", table, "text/csv")).run()
    link = {name: app.query_params[name] for name in app.query_params}
    again = open_page("audit", **link)
    assert again.dataframe[0].value["models"].tolist() == ["hair, good"]
    assert again.selectbox(key="audit_target").value == "Male"
    assert "upload the table again" in texts(open_page("audit", predictions="../../etc/passwd"))


def test_what_does_not_fit_is_one_sentence_and_nothing_starts(open_page: OpenPage, drawn: FaceDataset) -> None:
    app = open_page("audit", target="Male", protected="Blond_Hair")
    logits = pd.DataFrame({"file": drawn.names, "logit": np.linspace(-3, 3, len(drawn))}).to_csv(index=False).encode()
    app.file_uploader(key="audit_uploads").set_value(("m.csv", logits, "text/csv")).run()
    assert "are these logits?" in texts(app)
    assert app.button(key="audit_start").disabled
    app.segmented_control(key="audit_scores").set_value("logits").run()
    assert not app.button(key="audit_start").disabled


def test_classifiers_of_a_run_are_audited_and_asked_what_if(
    open_page: OpenPage, finish_run: FinishRun, drawn_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(drawn_folder))
    run = finish_run(**UNTREATED)

    def begin(kind: str, settings: dict[str, object], name: str) -> str:
        return run_here(kind, {**settings, "device": "cpu"}, name=name).name

    monkeypatch.setattr(starting, "begin_run", begin)
    app = open_page("audit", data=str(drawn_folder), target="Male", protected="Blond_Hair", split="train")
    assert "Choose classifiers above" in texts(app)
    assert app.multiselect(key="audit_subjects").options == [f"original, seed 0 · tiny {run.name[-4:]}"]
    app.multiselect(key="audit_subjects").set_value([f"{run.name}:original#0"])
    app.run()
    assert "scores of " in texts(app) and "explained by lrp" in texts(app)  # how long it takes, before it starts
    app.multiselect(key="audit_schemes").set_value([])
    app.multiselect(key="audit_explainers").set_value([])
    app.run()
    moved = app.dataframe[-1].value
    assert moved["classifier"].tolist() == ["original"]
    app.button(key="what_if_many").click().run()
    assert not app.exception
    assert app.dataframe[-1].value["group"].tolist() == ["all", "with Blond_Hair", "without Blond_Hair"]
    app.button(key="audit_start").click().run()
    assert not app.exception
    newest = list_runs()[0]
    assert (newest.kind, newest.status.state, newest.status.error) == ("audit", "finished", None)


def test_what_hiding_changes_is_shown_in_words() -> None:
    rows = [
        ("a", "general_mask@0.7", where, "all", changed, changed - 0.1, changed + 0.1, 0.1, 0.2, 40)
        for where, changed in ((REGION, 0.3), (ELSEWHERE, 0.1), (DIFFERENCE, 0.2))
    ]
    (said,) = hidden_in_words(pd.DataFrame(rows, columns=list(HIDDEN_COLUMNS))).to_dict("records")
    assert said["decisions that change"] == "30.0% [20.0%, 40.0%]"
    assert said["difference"] == "+20.0% [+10.0%, +30.0%]"
    assert (said["to yes"], said["n"]) == ("10.0%", 40)
