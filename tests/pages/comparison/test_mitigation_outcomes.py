"""How mitigation ended, as the page shows it."""

from fairsal_core.results.mitigation import MethodOutcome, write_outcomes
from fairsal_core.runs import seal_run
from fairsal_core.settings import variant_title
from pages.components.comparison.mitigation_outcomes import outcomes_table, trace_table
from tests.pages.conftest import UNTREATED, FinishRun, OpenPage, texts

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


VIEW = "How mitigation ended"


def test_comparison_links_to_the_form_or_shows_the_outcomes(open_page: OpenPage, finish_run: FinishRun) -> None:
    run = finish_run(**UNTREATED)
    app = open_page("comparison", run=run.name, tab="Accuracy", accuracy_view=VIEW)
    assert "What the searches saw" not in texts(app)
    write_outcomes(run, OUTCOMES, {})
    seal_run(run)
    app = open_page("comparison", run=run.name, tab="Accuracy", accuracy_view=VIEW)
    assert any("outcome" in frame.value.columns for frame in app.dataframe)
    (run / "mitigation.json").write_text("{")
    app = open_page("comparison", run=run.name, tab="Accuracy", accuracy_view=VIEW)
    assert any("is damaged, or was changed after it finished" in error.value for error in app.error)
    seal_run(run)
    app = open_page("comparison", run=run.name, tab="Accuracy", accuracy_view=VIEW)
    assert any("cannot be read" in error.value for error in app.error)


def test_outcomes_in_words() -> None:
    table = outcomes_table(OUTCOMES).set_index("method")
    assert table["outcome"].tolist() == ["✓ ok", "✓ ok", "✗ failed"]
    assert table.loc[variant_title("zhang"), "chosen"] == "alpha 0.3, layer 15"
    assert table.loc[variant_title("p_clarc"), "reason"] == "It decides the same for all."
    assert table["saliency"].tolist() == ["", "unchanged by construction", ""]
    assert trace_table(OUTCOMES)["settings"].tolist() == ["alpha 0.3, layer 15"]
