"""What tables and charts show of stored results: what is registered in its order, then what no longer is."""

import numpy as np
import pandas as pd
import pytest

from fairsal_core.faces import Roi
from fairsal_core.metrics import METRICS, Estimate, GroupMetric, Interval
from fairsal_core.results import (
    Column,
    attention_table,
    columns_of,
    fairness_change_table,
    measure,
    over_all_seeds,
    results_table,
    shown_tests,
    shown_values,
)
from tests.helpers import register
from tests.metrics.foreign import FALSE_ALARMS, FOREIGN
from tests.reports.conftest import made_up_predictions


@pytest.fixture
def _foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, METRICS, *FOREIGN)


def attention(with_before: bool = True) -> pd.DataFrame:
    """Summaries of made-up maps of an original and of one variant."""
    before, after = np.random.default_rng(0).random((2, 8, 16, 16))
    about = {"face": list("abcdefgh"), "target": [True, False] * 4, "confounder": [True, True, False, False] * 2}
    roi = Roi(x=2, y=3, width=6, height=5)
    parts = [
        pd.DataFrame({"variant": name, "seed": 0, **about, "peak": 1.0, **measure(first, second, roi)})
        for name, first, second in (("original", None, before), ("after", before if with_before else None, after))
    ]
    return attention_table(pd.concat(parts), "Male", "Blond_Hair", "lrp", "box")


@pytest.mark.usefixtures("_foreign")
def test_results_have_a_foreign_metric_after_all_others() -> None:
    predictions = made_up_predictions((0,))
    results = over_all_seeds(results_table(predictions, "Male", "Blond_Hair"))
    part = results[(results["variant"] == "balanced") & (results["evaluation"] == "clean")]
    assert part["metric"].tolist()[-1] == "false_alarms"
    row = part.iloc[-1]
    mine = predictions[(predictions["variant"] == "balanced") & (predictions["evaluation"] == "clean")]
    assert row["value"] == pytest.approx((mine.loc[~mine["target"], "score"] > 0.5).mean())
    assert (row["group"], row["n"]) == ("women", 60)
    assert row["low"] <= row["value"] <= row["high"]
    assert columns_of(results, "false_alarms") == [Column("false alarms (women)", "false_alarms", "women")]


@pytest.mark.usefixtures("_foreign")
def test_a_foreign_change_is_one_of_fairness() -> None:
    table = fairness_change_table(made_up_predictions((0,)), lambda variant: "original")
    assert table["metric"].tolist() == ["gap", "equalized_odds_difference", "false_alarms"] * 2


@pytest.mark.usefixtures("_foreign")
def test_attention_has_foreign_metrics_and_tests_after_its_own() -> None:
    table = attention()
    over_all = table[table["seed"].isna() & table["group"].eq("all")]
    own = ["rrf", "hrf", "mrr", "contrast"]
    assert over_all.loc[over_all["variant"] == "original", "metric"].tolist() == [*own, "peak_inside", "peak", "det"]
    assert over_all.loc[over_all["variant"] == "after", "metric"].tolist() == [
        *[*own, "adr", "dif", "rrf_change", "peak_inside", "mean_fall", "peak"],
        *["rddt", "det", "fall_test"],
    ]
    assert shown_values(table) == ["rrf", "hrf", "mrr", "adr", "dif", "peak_inside", "mean_fall"]
    assert shown_tests(table) == ["rddt", "det", "fall_test"]


def test_what_is_no_longer_installed_comes_last_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        register(patch, METRICS, *FOREIGN)
        table = attention()
        results = results_table(made_up_predictions((0,)), "Male", "Blond_Hair")
    assert shown_values(table) == ["rrf", "hrf", "mrr", "adr", "dif", "peak_inside", "mean_fall"]
    assert shown_tests(table) == ["rddt", "det", "fall_test"]
    (column,) = columns_of(results, "false_alarms")
    assert column == Column("false_alarms (women)", "false_alarms", "women")
    assert column.sign == ""


def test_a_column_for_each_group_or_one_that_names_it() -> None:
    results = over_all_seeds(results_table(made_up_predictions((0,)), "Male", "Blond_Hair"))
    assert columns_of(results, "worst_cell") == [Column("worst cell", "worst_cell", None)]
    assert columns_of(results, "gap") == [Column("gap (women - men)", "gap", "women - men")]
    assert [column.title for column in columns_of(results, "accuracy")][:2] == ["accuracy", "accuracy (men)"]
    assert columns_of(results, "gone") == []
    (worst,) = columns_of(results, "worst_cell")
    keys = results[["variant", "evaluation", "treated_by"]].drop_duplicates()
    assert len(worst.rows(results)) == len(keys)
    assert [column.sign for name in ("gap", "accuracy") for column in columns_of(results, name)][:2] == ["+", ""]


def test_groups_of_any_cells_have_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    each = [Estimate("", cells, 0.5, Interval(0, 1), 1) for cells in ((0, 2), (1,), (2, 3), (0, 1, 2, 3))]
    register(monkeypatch, METRICS, GroupMetric("mine", "mine", "One of mine.", lambda made: each, about="groups"))
    results = over_all_seeds(results_table(made_up_predictions((0,)), "Male", "Blond_Hair"))
    titles = [column.title for column in columns_of(results, "mine")]
    assert titles == [
        "mine (men with Blond_Hair and women with Blond_Hair)",
        "mine (men without Blond_Hair)",
        "mine (women)",
        "mine",
    ]
    assert FALSE_ALARMS.name not in set(results["metric"])
