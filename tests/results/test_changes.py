"""Which faces changed sides, and by how much the numbers did."""

import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.results import changes_table, face_changes, over_all_seeds, reference_changes, results_table
from fairsal_core.settings import ExperimentConfig
from tests.reports.conftest import made_up_predictions


def part(predictions: pd.DataFrame, variant: str) -> pd.DataFrame:
    return predictions[(predictions["variant"] == variant) & (predictions["evaluation"] == "clean")]


def test_changes_are_differences_of_the_results() -> None:
    predictions = made_up_predictions()
    table = changes_table(part(predictions, "original"), part(predictions, "balanced"), "Male", "Blond_Hair")
    pooled = over_all_seeds(results_table(predictions, "Male", "Blond_Hair"))
    clean = pooled[(pooled["evaluation"] == "clean") & (pooled["metric"] == "accuracy")]
    value = {variant: rows.set_index("group")["value"] for variant, rows in clean.groupby("variant")}
    for row in table[table["metric"] == "accuracy"].itertuples():
        assert row.change == pytest.approx(value["balanced"][row.group] - value["original"][row.group])
    assert set(table["group"]) == {*value["original"].index, "women - men"}


def test_each_variant_is_compared_with_its_reference_on_the_same_faces() -> None:
    predictions = made_up_predictions()
    table = reference_changes(predictions, ExperimentConfig().original_of, "Male", "Blond_Hair")
    clean = table[(table["evaluation"] == "clean") & (table["variant"] == "balanced")]
    pd.testing.assert_frame_equal(
        clean.drop(columns=["variant", "evaluation", "treated_by", "reference"]).reset_index(drop=True),
        changes_table(part(predictions, "original"), part(predictions, "balanced"), "Male", "Blond_Hair"),
    )
    assert "balanced" in set(table["variant"])
    assert "original" not in set(table["variant"])
    assert set(table["reference"]) == {"original"}
    both = {
        (variant, evaluation, by)
        for variant, evaluation, by in predictions[["variant", "evaluation", "treated_by"]].values
    }
    for row in table.itertuples():
        assert {("original", row.evaluation, row.treated_by), (row.variant, row.evaluation, row.treated_by)} <= both
    assert reference_changes(predictions, str, "Male", "Blond_Hair").empty


def test_only_seeds_that_both_have_are_paired() -> None:
    predictions = made_up_predictions((0, 1, 2))
    after = part(predictions, "balanced")
    table = changes_table(part(predictions, "original"), after[after["seed"] != 1], "Male", "Blond_Hair")
    assert set(table["seeds"]) == {2}
    with pytest.raises(FairsalError, match="share no seed"):
        changes_table(part(predictions, "original"), after.assign(seed=9), "Male", "Blond_Hair")


def test_other_faces_cannot_be_compared() -> None:
    predictions = made_up_predictions((0,))
    after = part(predictions, "balanced")
    with pytest.raises(FairsalError, match="different test faces"):
        changes_table(part(predictions, "original"), after[after["face"] != "000001.jpg"], "Male", "Blond_Hair")


def test_faces_that_changed_sides() -> None:
    def rows(scores: list[float]) -> pd.DataFrame:
        faces = {"face": ["a", "b", "c"], "target": [True, True, False], "confounder": [True, False, False]}
        return pd.DataFrame({**faces, "seed": 0, "score": scores})

    table = face_changes(rows([0.1, 0.9, 0.2]), rows([0.8, 0.7, 0.6]))
    assert table.index.tolist() == ["a", "c", "b"]
    assert table["changed"].to_dict() == {"a": True, "c": True, "b": False}
    assert table["right_after"].to_dict() == {"a": True, "c": False, "b": True}
