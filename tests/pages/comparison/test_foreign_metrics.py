"""Metrics of installed packages are on Comparison wherever its own are; what is no longer installed does not end the page."""

import json
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fairsal_core.files import read_json, write_json
from fairsal_core.metrics import METRICS, words_of
from fairsal_core.reports import Acceptance, read_acceptance, save_acceptance
from fairsal_core.runs import seal_run
from tests.helpers import register
from tests.metrics.foreign import FOREIGN
from tests.pages.conftest import FinishRun, OpenPage, read, texts


@pytest.fixture
def finish(finish_run: FinishRun, drawn_folder: Path, monkeypatch: pytest.MonkeyPatch) -> FinishRun:
    """Do an experiment on faces that are on offer."""
    monkeypatch.setenv("FAIRSAL_DATA_ROOTS", str(drawn_folder))
    return finish_run


def figures(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def panels(app: AppTest) -> list[str]:
    """Return the titles of the panels of relevance in the region."""
    titles = [[note["text"] for note in figure["layout"].get("annotations", [])] for figure in figures(app)]
    (told,) = [each for each in titles if any("(RRF)" in title for title in each)]
    return [title.replace("<br>", " ") for title in told]


TOLD = [words_of(name) for name in ("rrf", "hrf", "mrr", "adr", "dif")]
TESTS = [words_of(name) for name in ("rddt", "det")]


def test_foreign_metrics_are_wherever_others_are(
    open_page: OpenPage, finish: FinishRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, METRICS, *FOREIGN)
    run = finish(balanced=False)
    app = open_page("comparison", run=run.name, tab="Accuracy")
    assert [column for column in app.dataframe[0].value.columns[2:] if not column.startswith("Δ")] == [
        *["false alarms (women)", "worst cell", "gap (women - men)", "accuracy", "men", "women", "impact ratio"],
    ]
    app = open_page("comparison", run=run.name, tab="Attention", attention_view="Numbers")
    assert panels(app) == [*TOLD, "peak inside", "mean fall"]
    said = texts(app)
    assert "RRF, HRF, MRR and peak inside fall, ADR, DIF and mean fall rise, when attention leaves the region." in said
    assert "DET: does the region draw more than the rest? fall test: did the mean fall? One-sided" in said
    assert [*app.table[-1].value.columns] == ["explainer", *TESTS, "fall test"]

    app = open_page("comparison", run=run.name, tab="Attention", attention_view="For the right reasons?")
    said = texts(app)
    assert app.selectbox(key="trade_attention").options == [words_of("rrf"), words_of("adr"), "mean fall"]
    assert app.selectbox(key="trade_fairness").options == ["gap", "equalized odds", "false alarms"]
    assert (
        f"left of it, by {words_of('rrf')}, or right of it, by {words_of('adr')} or mean fall, attention left" in said
    )
    app.selectbox(key="trade_attention").set_value("mean_fall")
    app.selectbox(key="trade_fairness").set_value("false_alarms").run()
    drawn = figures(app)[-1]
    axes = [drawn["layout"][axis]["title"]["text"] for axis in ("xaxis", "yaxis")]
    assert axes == ["mean fall of magnitude", "change in false alarms"]
    assert [trace["name"] for trace in drawn["data"]] == ["General mask, top 30%"]

    app = open_page("comparison", run=run.name, tab="Decide")
    assert app.number_input(key=f"false_alarms_at_most-{run.name}").value == 0.9
    app.number_input(key=f"peak_inside_at_most-{run.name}").set_value(0.25).run()
    assert read_acceptance(run).limits == {"gap": 0.1, "worst_cell": 0.6, "peak_inside": 0.25, "false_alarms": 0.9}
    verdicts = next(frame.value for frame in app.dataframe if "verdict" in frame.value.columns)
    assert [*verdicts.columns][-2:] == ["peak inside at most 0.25", "false alarms at most 0.9"]
    assert not app.exception


def test_metrics_that_are_no_longer_installed_come_last_under_their_own_names(
    open_page: OpenPage, finish: FinishRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        register(patch, METRICS, *FOREIGN)
        run = finish(balanced=False)
        save_acceptance(run, Acceptance(limits={"gap": 0.1, "false_alarms": 0.9}))
    st.cache_resource.clear()  # another process, which never had them
    app = open_page("comparison", run=run.name, tab="Accuracy")
    columns = next(group for group in app.get("button_group") if group.key == "columns")
    assert columns.options[-1] == "false_alarms (women)"
    assert columns.options[-1] not in columns.value
    columns.set_value([columns.options[-1]]).run()
    assert [*app.dataframe[0].value.columns][2:] == ["false_alarms (women)"]
    app = open_page("comparison", run=run.name, tab="Attention", attention_view="Numbers")
    assert panels(app)[-2:] == ["peak_inside", "mean_fall"]
    assert "RRF, HRF and MRR fall, ADR and DIF rise, when" in texts(app)
    assert [*app.table[-1].value.columns] == ["explainer", *TESTS, "fall_test"]
    app = open_page("comparison", run=run.name, tab="Decide")
    verdicts = next(frame.value for frame in app.dataframe if "verdict" in frame.value.columns)
    assert set(verdicts["false_alarms 0.9"]) == {"– not measured"}
    app.number_input(key=f"gap_at_most-{run.name}").set_value(0.2).run()
    assert read_acceptance(run).limits == {"gap": 0.2, "false_alarms": 0.9}
    assert not app.exception


def test_settings_that_name_what_is_no_longer_installed_cost_a_sentence(open_page: OpenPage, finish: FinishRun) -> None:
    run = finish()
    stored = read_json(run / "config.json")
    stored["config"]["measure"] = "a_foreign_one"
    write_json(run / "config.json", stored)
    seal_run(run)
    app = open_page("comparison", run=run.name, tab="Attention", attention_view="For the right reasons?")
    assert app.selectbox(key="candidate").value == "general_mask@0.7"  # neither the original nor the balanced one
    decide = open_page("comparison", run=run.name, tab="Decide", decide_view="Report")
    said = [
        read(warning.value) for warning in (*app.warning, *decide.warning) if "a_foreign_one" in read(warning.value)
    ]
    assert [sentence.partition(":")[0] for sentence in said] == [
        "Which variant is compared with which cannot be told from the settings of this run",
        "This run cannot be reported or repeated here, since its settings cannot be read",
    ]
    assert all("There is no confidence measure 'a_foreign_one'" in sentence for sentence in said)
    buttons = {button.proto.label: button.proto.disabled for button in decide.get("download_button")}
    assert [name for name, disabled in buttons.items() if disabled] == [
        "Report (HTML)",
        "Report, tables, model cards (ZIP)",
    ]
    assert "Report" in {one.value for one in decide.subheader}
    assert not decide.exception
