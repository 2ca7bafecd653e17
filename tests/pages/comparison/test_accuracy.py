"""The charts of accuracy and gap: what is drawn are the run's numbers."""

import pandas as pd

from fairsal_core.results import accuracy_and_gap, results_table
from pages.components.comparison.accuracy import chart
from tests.reports.conftest import made_up_predictions


def test_each_seed_is_a_point_of_the_chart(pooled: pd.DataFrame) -> None:
    by_seed = accuracy_and_gap(results_table(made_up_predictions(), "Male", "Blond_Hair"))
    by_seed = by_seed[by_seed["seed"].notna()]
    figure = chart(pooled, ["men"], "Accuracy", by_seed)
    ticks = [trace for trace in figure.data if trace.marker.symbol == "line-ns-open"]
    clean = by_seed[(by_seed["group"] == "men") & (by_seed["evaluation"] == "clean")]
    assert sorted(ticks[0].x) == sorted(clean["value"])
    assert len(ticks[0].x) == 3 * 2


def test_clean_and_treated_share_a_row_where_there_is_one_treatment() -> None:
    keys = {"variant": ["original", "original", "zhang", "zhang"], "evaluation": ["clean", "treated"] * 2}
    table = pd.DataFrame({**keys, "treated_by": ["", "general_mask@0.7"] * 2, "group": "men", "n": 4})
    table = table.assign(value=0.5, low=0.4, high=0.6, seed=0)
    drawn = chart(table, ["men"], "Accuracy", table.head(0)).data
    assert {name for trace in drawn for name in trace.y} == {"original", "zhang"}
    twice = pd.concat([table, table.tail(1).assign(treated_by="general_mask@0.9")])
    drawn = chart(twice, ["men"], "Accuracy", twice.head(0)).data
    assert {name for trace in drawn for name in trace.y} == {
        "original",
        "zhang",
        "zhang under general_mask@0.7",
        "zhang under general_mask@0.9",
    }
