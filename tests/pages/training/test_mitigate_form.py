"""The form that asks for mitigation says what methods need, and starts a run."""

from dataclasses import replace

import pytest

from fairsal_core.mitigation import METHODS
from fairsal_core.runs import TERMINAL, cancel, list_runs
from pages.components.training.mitigate_form import needs_table
from tests.helpers import register
from tests.pages.conftest import UNTREATED, FinishRun, OpenPage, texts


def test_the_form_starts_a_new_run_with_the_methods(open_page: OpenPage, finish_run: FinishRun) -> None:
    run = finish_run(**UNTREATED)
    app = open_page("training", run=run.name)
    methods = app.multiselect(key=f"mitigate_methods-{run.name}")
    assert set(methods.value) < set(METHODS)
    methods.set_value(["global_threshold"])
    app.run()
    app.button(key=f"mitigate-{run.name}").click().run()
    assert not app.exception
    newest = list_runs()[0]
    assert newest.id != run.name
    assert [choice["method"] for choice in newest.config["mitigation"]] == ["global_threshold"]
    assert newest.id in app.query_params["run"]
    if newest.status.state not in TERMINAL:
        cancel(newest.path)


def test_every_method_says_what_it_needs() -> None:
    table = needs_table(list(METHODS)).set_index("method")["needs"]
    assert table["Thresholds for each group"] == "groups at validation, groups at prediction"
    assert table["P-ClArC"] == "confounder labels, groups at validation, a layer"
    assert table["Fine tune"] == "target labels only"


def test_a_method_that_does_not_fit_is_not_offered_and_it_is_said_why(
    open_page: OpenPage, finish_run: FinishRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, METHODS, replace(METHODS["fine_tune"], name="oracle", needs=("a second opinion",)))
    run = finish_run(**UNTREATED)
    app = open_page("training", run=run.name)
    assert "Oracle" not in app.multiselect(key=f"mitigate_methods-{run.name}").options
    assert "Oracle (a second opinion)" in texts(app)
