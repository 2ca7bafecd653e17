"""The review desk: what the table says, which faces are shown, what stays with the run."""

import pandas as pd
import pytest

from fairsal_core.results import Column, read_results
from fairsal_core.runs import Run
from pages.components.comparison.desk_table import desk_table
from tests.pages.conftest import OpenPage
from tests.reports.conftest import MakeRun


def test_the_table_sorts_by_value_and_shows_intervals_and_signs() -> None:
    results = pd.DataFrame(
        [
            ("a", "clean", "", "accuracy", "all", 0.5, 0.4, 0.6),
            ("b", "clean", "", "accuracy", "all", 0.7, 0.6, 0.8),
            ("a", "clean", "", "gap", "women - men", -0.3, -0.4, -0.2),
            ("b", "clean", "", "gap", "women - men", 0.1, 0.0, 0.2),
        ],
        columns=["variant", "evaluation", "treated_by", "metric", "group", "value", "low", "high"],
    )
    changes = pd.DataFrame(
        [
            ("b", "clean", "", "accuracy", "all", 0.2, 0.1, 0.3, 3),
            ("b", "clean", "", "gap", "women - men", -0.2, -0.3, 0.1, 3),
        ],
        columns=[
            "variant",
            "evaluation",
            "treated_by",
            "metric",
            "group",
            "change",
            "change_low",
            "change_high",
            "seeds",
        ],
    )
    columns = [Column("accuracy", "accuracy", "all"), Column("gap", "gap", "women - men")]
    styler = desk_table(results, changes, columns)
    assert styler.data["accuracy"].tolist() == [0.5, 0.7]
    shown = styler.to_html()
    for text in ("0.50 [0.40, 0.60]", "-0.30 [-0.40, -0.20]", "+0.20 [+0.10, +0.30] better", "-0.20 [-0.30, +0.10]<"):
        assert text in shown


@pytest.mark.parametrize(("seeds", "said"), [(3, "worse"), (2, "these networks"), (1, "these networks")])
def test_a_change_for_the_worse_is_said_in_words_from_three_seeds_on(seeds: int, said: str) -> None:
    keys = {"variant": ["b"], "evaluation": ["clean"], "treated_by": [""]}
    results = pd.DataFrame({**keys, "metric": "gap", "group": "g", "value": 0.4, "low": 0.3, "high": 0.5})
    moved = {"metric": "gap", "group": "g", "change": 0.2, "change_low": 0.1, "change_high": 0.3, "seeds": seeds}
    shown = desk_table(results, pd.DataFrame({**keys, **moved}), [Column("gap", "gap", "g")]).to_html()
    assert f"+0.20 [+0.10, +0.30] {said}" in shown


def test_numbers_on_the_desk_are_those_of_the_run(open_page: OpenPage, run: Run) -> None:
    table = open_page("comparison", run=run.id, tab="Accuracy").dataframe[0].value
    results = read_results(run.path)
    pooled = results[results["seed"].isna() & results["metric"].eq("accuracy") & results["group"].eq("all")]
    told = {"original": "Original", "balanced": "Balanced", "general_mask@0.7": "General mask, top 30%", "": "clean"}
    expected = {(told[row.variant], told[row.treated_by]): row.value for row in pooled.itertuples()}
    shown = zip(table["variant"], table["test faces"], table["accuracy"], strict=True)
    assert {(name, faces.removeprefix("under ")): value for name, faces, value in shown} == expected


def test_variants_and_reference_come_from_the_link(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Accuracy", reference="balanced", evaluation="clean")
    app.multiselect(key="variants").set_value(["Balanced"]).run()
    assert app.selectbox(key="reference").value == "balanced"
    assert app.selectbox(key="candidate").options == ["Original", "General mask, top 30%"]
    app.selectbox(key="candidate").set_value("general_mask@0.7").run()
    assert app.dataframe[0].value["variant"].tolist() == ["Balanced", "General mask, top 30%"]
    assert app.query_params["variants"] == "balanced"


def test_a_variant_that_no_run_has_is_said(open_page: OpenPage, run: Run) -> None:
    app = open_page("comparison", run=run.id, tab="Accuracy", variants="nonsense")
    assert any("no variant 'nonsense'" in warning.value for warning in app.warning)
    assert "Original" in set(app.dataframe[0].value["variant"])


def test_variants_of_another_run_on_the_same_data_join(open_page: OpenPage, run: Run, make_run: MakeRun) -> None:
    other = make_run(name="Second", training={"epochs": 2})
    make_run(name="Elsewhere", confounder="Eyeglasses")
    app = open_page("comparison", run=run.id, tab="Accuracy")
    also = app.multiselect(key="also")
    assert also.options == [f"Second {other.id[-4:]}"]
    also.set_value(also.options).run()
    assert f"Balanced · Second {other.id[-4:]}" in set(app.dataframe[0].value["variant"])
    assert not app.exception
