"""The Training page on faces whose attributes have classes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fairsal_core.faces import draw_fairface
from fairsal_core.runs import list_runs
from fairsal_core.runs.store import create_run, end_run
from fairsal_core.settings import ExperimentConfig, parse_config
from tests.pages.conftest import APP, texts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_fairface(tmp_path_factory.mktemp("fairface") / "fairface", count=120, seed=0)


@pytest.fixture
def open_training(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(folder))

    def open_(**query: str) -> AppTest:
        app = AppTest.from_file(APP, default_timeout=60)
        app.session_state["data"] = str(folder)
        app.query_params.update(query)
        app.run().switch_page("pages/training.py").run()
        assert not app.exception
        return app

    return open_


def test_classes_are_offered_and_can_be_started(
    open_training: Callable[..., AppTest], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[ExperimentConfig] = []

    def start(kind: str, config: dict[str, object], name: str) -> Path:
        started.append(parse_config(config))
        return create_run(kind, config, name=name)

    monkeypatch.setattr("pages.components.shared.begin.start", start)
    app = open_training()
    assert app.selectbox(key="data").value == str(folder)
    options = app.selectbox(key="target").options
    assert {"gender=Male", "gender=Female"} <= set(options)
    assert "gender" not in options
    app.selectbox(key="target").set_value("gender=Female")
    app.selectbox(key="confounder").set_value("race=Eyeglasses").run()
    for field, count in (("target_without", 3), ("other_with", 2), ("other_without", 2)):
        app.number_input(key=f"count_{field}").set_value(count)
    app.multiselect(key="explainers").set_value([])
    app.multiselect(key="schemes").set_value([]).run()
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert list(app.table[0].value.index) == ["gender=Female", "not gender=Female"]
    app.button(key="start").click().run()
    assert (started[0].target, started[0].confounder) == ("gender=Female", "race=Eyeglasses")
    assert list_runs()[0].config["target"] == "gender=Female"


def test_two_classes_leave_the_others_out_and_say_so(open_training: Callable[..., AppTest], folder: Path) -> None:
    earlier = parse_config(
        {
            "data": str(folder),
            "target": "race=Eyeglasses vs Wearing_Hat",
            "confounder": "gender=Male",
            "counts": "1,2,2,1",
        }
    )
    run = create_run("experiment", earlier.model_dump(mode="json"), name="earlier")
    end_run(run, "finished")
    app = open_training(run=run.name)
    app.button(key=f"clone-{run.name}").click().run()
    assert not app.exception
    assert app.selectbox(key="target").value == "race=Eyeglasses vs Wearing_Hat"
    assert "have no label of both and are left out" in texts(app)
    assert list(app.table[0].value.index) == ["race=Eyeglasses", "race=Wearing_Hat"]


def test_two_classes_of_one_column_are_one_sentence(open_training: Callable[..., AppTest]) -> None:
    app = open_training()
    app.selectbox(key="target").set_value("gender=Male")
    app.selectbox(key="confounder").set_value("gender=Female").run()
    assert not app.exception
    assert ["are read from one column" in error.value for error in app.error] == [True]
