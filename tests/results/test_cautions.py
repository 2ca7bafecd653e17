"""What numbers cannot carry: constant classifiers, cells of a few faces, differences of nothing."""

import math

import pandas as pd

from fairsal_core.results import (
    about_these_networks,
    cautions,
    fewest_faces,
    over_all_seeds,
    results_table,
    says_the_same_of_all,
)
from tests.reports.conftest import made_up_predictions


def original(predictions: pd.DataFrame) -> pd.DataFrame:
    return results_table(predictions[predictions["variant"] == "original"], "Male", "Blond_Hair")


def test_ordinary_results_have_none() -> None:
    assert cautions(original(made_up_predictions((0, 1), per_cell=10))) == []


def test_a_classifier_that_says_the_same_of_every_face() -> None:
    predictions = made_up_predictions((0, 1), per_cell=10)
    predictions.loc[predictions["seed"] == 1, "score"] = 0.9
    results = original(predictions)
    (first, *_) = cautions(results)
    assert first.startswith("original says the same of every face (clean faces, seed 1)")
    assert not says_the_same_of_all(over_all_seeds(results).query("evaluation == 'clean'"))
    alone = original(predictions[predictions["seed"] == 1])
    for evaluation in ("clean", "treated"):
        rows = over_all_seeds(alone)[over_all_seeds(alone)["evaluation"] == evaluation]
        assert rows.empty or says_the_same_of_all(rows)


def test_cells_of_a_few_faces_are_named() -> None:
    results = original(made_up_predictions((0,), per_cell=9))
    assert fewest_faces(results) == 9
    (few,) = [sentence for sentence in cautions(results) if "too few for a verdict" in sentence]
    assert few.startswith("Fewer than 10 test faces in a cell: men with Blond_Hair (9), ")


def test_a_difference_of_nothing_is_named() -> None:
    results = original(made_up_predictions((0,), per_cell=10))
    results.loc[results["metric"] == "gap", "value"] = math.nan
    assert any(sentence.startswith("gap is not defined for original") for sentence in cautions(results))


def test_fewer_than_three_seeds_are_about_these_networks() -> None:
    assert about_these_networks(1).startswith("One seed was trained: this is about these networks")
    assert about_these_networks(2).startswith("2 seeds were trained")
    assert about_these_networks(3) == ""
