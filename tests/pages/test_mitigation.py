"""Mitigation on the pages: the form says what methods need, outcomes are shown, dominated variants fade."""

import pandas as pd
import pytest

from fairsal_core.experiments import TERMINAL, cancel, list_runs
from fairsal_core.experiments.mitigate import MethodOutcome, write_outcomes
from fairsal_core.mitigation import METHODS
from pages.components.mitigation import needs_table, outcomes_table, pareto_chart, pareto_points, trace_table
from tests.pages.conftest import FinishRun, OpenPage, texts

UNTREATED = {
    "counts": "2,8,6,4",
    "schemes": [],
    "balanced": False,
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 2,
    "attention": {"explainers": ["none"]},
}
TRIAL = {
    "settings": {"alpha": 0.3, "layer": "15"},
    "accuracy": 0.8,
    "worst_cell": 0.6,
    "equalized_odds_difference": 0.1,
    "chosen": True,
    "problem": "",
}
OUTCOMES = [
    MethodOutcome("zhang", "zhang", 0, "ok", "", None, [TRIAL], {"adversary_accuracy": 0.5}, 3.0),
    MethodOutcome("threshold", "threshold", 0, "ok", "", None, [], {}, 1.0),
    MethodOutcome("p_clarc", "p_clarc", 0, "failed", "It decides the same for all.", None, [], {}, 1.0),
]


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


def test_comparison_links_to_the_form_or_shows_the_outcomes(open_page: OpenPage, finish_run: FinishRun) -> None:
    run = finish_run(**UNTREATED)
    app = open_page("comparison", run=run.name)
    assert "How mitigation ended" not in texts(app)
    write_outcomes(run, OUTCOMES, {})
    app = open_page("comparison", run=run.name)
    assert "How mitigation ended" in texts(app)
    (run / "mitigation.json").write_text("{")
    app = open_page("comparison", run=run.name)
    assert any("cannot be read" in error.value for error in app.error)


def test_every_method_says_what_it_needs() -> None:
    table = needs_table(list(METHODS)).set_index("method")["needs"]
    assert table["threshold"] == "confounder labels, groups at prediction"
    assert table["p_clarc"] == "confounder labels, a layer"
    assert table["fine_tune"] == "target labels only"


def test_outcomes_in_words() -> None:
    table = outcomes_table(OUTCOMES).set_index("method")
    assert table["outcome"].tolist() == ["✓ ok", "✓ ok", "✗ failed"]
    assert table.loc["zhang", "chosen"] == "alpha 0.3, layer 15"
    assert table.loc["p_clarc", "reason"] == "It decides the same for all."
    assert table["saliency"].tolist() == ["", "unchanged by construction", ""]
    assert trace_table(OUTCOMES)["settings"].tolist() == ["alpha 0.3, layer 15"]


def results(points: dict[str, tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "variant": variant,
                "evaluation": evaluation,
                "metric": metric,
                "group": "all",
                "value": value,
                "low": value - 0.05,
                "high": value + 0.05,
            }
            for variant, (accuracy, odds) in points.items()
            for metric, value in (("accuracy", accuracy), ("equalized_odds_difference", odds))
            for evaluation in ("clean", "treated")
        ]
    )


def test_what_another_beats_in_both_is_faded() -> None:
    points = pareto_points(results({"original": (0.8, 0.5), "zhang": (0.82, 0.2), "threshold": (0.7, 0.05)}))
    assert dict(zip(points["variant"], points["dominated"], strict=True)) == {
        "original": True,
        "zhang": False,
        "threshold": False,
    }
    figure = pareto_chart(points, "Blond_Hair")
    opacity = {name: trace.marker.opacity for trace in figure.data for name in trace.text}
    assert opacity["original"] < opacity["zhang"] == 1.0
    trace = next(trace for trace in figure.data if "zhang" in trace.text)
    at = list(trace.text).index("zhang")
    assert (trace.x[at], trace.y[at]) == (0.2, 0.82)
    assert trace.error_x["array"][at] == pytest.approx(0.05)
