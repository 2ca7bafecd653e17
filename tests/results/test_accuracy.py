"""The table of results against counting rows."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.reports import accuracy_table
from fairsal_core.results.accuracy import (
    RESULT_COLUMNS,
    accuracy_and_gap,
    cells_by_face,
    gap_name,
    natural_table,
    over_all_seeds,
    read_results,
    results_table,
    wide_results,
)

# What happened: `original` is treated by two general schemes, the scheme by its own.
CASES = (
    ("original", "clean", ""),
    ("original", "treated", "general_mask@0.7"),
    ("original", "treated", "general_noise@0.7"),
    ("specific_mask@0.7", "clean", ""),
    ("specific_mask@0.7", "treated", "general_mask@0.7"),
)
SEEDS = (5, 2)
DIFFERENCES = ("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference")
GROUPS = {
    "all": lambda target, confounder: True,
    "men": lambda target, confounder: target,
    "women": lambda target, confounder: not target,
    "men with Blond_Hair": lambda target, confounder: target and confounder,
    "men without Blond_Hair": lambda target, confounder: target and not confounder,
    "women with Blond_Hair": lambda target, confounder: not target and confounder,
    "women without Blond_Hair": lambda target, confounder: not target and not confounder,
}


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    parts = []
    for (variant, evaluation, by), seed in product(CASES, SEEDS):
        numbers = generator.permutation(40)
        about = {"variant": variant, "evaluation": evaluation, "treated_by": by, "seed": seed}
        faces = {"face": [f"{number:06d}.jpg" for number in numbers], "score": generator.random(40, dtype=np.float32)}
        parts.append(pd.DataFrame({**about, **faces, "target": numbers % 2 == 0, "confounder": numbers % 4 < 2}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def results(predictions: pd.DataFrame) -> pd.DataFrame:
    return results_table(predictions, "Male", "Blond_Hair")


def slow_accuracy(predictions: pd.DataFrame, case: tuple[str, str, str], seeds: tuple[int, ...], group: str) -> float:
    right = []
    for row in predictions.itertuples():
        mine = (row.variant, row.evaluation, row.treated_by) == case and row.seed in seeds
        if mine and GROUPS[group](row.target, row.confounder):
            right.append((row.score > 0.5) == row.target)
    return sum(right) / len(right)


def test_every_number_by_counting(predictions: pd.DataFrame, results: pd.DataFrame) -> None:
    for case in CASES:
        part = results[
            (results["variant"] == case[0]) & (results["evaluation"] == case[1]) & (results["treated_by"] == case[2])
        ]
        for seed in (*SEEDS, None):
            rows = part[part["seed"].isna()] if seed is None else part[part["seed"] == seed]
            values = accuracy_and_gap(rows).set_index("group")["value"]
            assert list(values.index) == [*GROUPS, "women - men"]
            for group in GROUPS:
                expected = slow_accuracy(predictions, case, SEEDS if seed is None else (seed,), group)
                assert values[group] == pytest.approx(expected), (case, seed, group)
            assert values["women - men"] == pytest.approx(values["women"] - values["men"])


def test_fairness_differences_by_fairlearn(predictions: pd.DataFrame, results: pd.DataFrame) -> None:
    from fairlearn import metrics

    for case, seed, name in product(CASES, SEEDS, DIFFERENCES):
        same = predictions[["variant", "evaluation", "treated_by"]].eq(list(case)).all(axis=1) & (
            predictions["seed"] == seed
        )
        part = predictions[same]
        expected = getattr(metrics, name)(part["target"], part["score"] > 0.5, sensitive_features=part["confounder"])
        rows = results[results[["variant", "evaluation", "treated_by"]].eq(list(case)).all(axis=1)]
        row = rows[(rows["seed"] == seed) & (rows["metric"] == name)]
        assert row["value"].item() == pytest.approx(expected)
        assert row["group"].item() == "all"


def test_the_worst_cell_is_named(results: pd.DataFrame) -> None:
    for _, part in results.groupby(["variant", "evaluation", "treated_by", "seed"], dropna=False):
        cells = part[(part["metric"] == "accuracy") & part["group"].str.contains(" with")].set_index("group")["value"]
        worst = part[part["metric"] == "worst_cell"]
        assert worst["value"].item() == cells.min() == cells[worst["group"].item()]


def test_the_shape_of_the_table(results: pd.DataFrame) -> None:
    assert tuple(results.columns) == RESULT_COLUMNS
    assert len(results) == len(CASES) * (len(SEEDS) + 1) * (8 + 5)
    assert str(results["seed"].dtype) == "Int64"
    assert set(results["metric"]) == {"accuracy", "gap", "worst_cell", "impact_ratio", *DIFFERENCES}
    assert (results["metric"] == "gap").eq(results["group"] == "women - men").all()
    assert results.set_index("group").loc["men", "n"].eq(20).all()
    assert results.set_index("group").loc["men with Blond_Hair", "n"].eq(10).all()
    assert (results["low"] <= results["value"]).all()
    assert (results["value"] <= results["high"]).all()


def test_rows_over_all_seeds_have_no_seed(results: pd.DataFrame) -> None:
    pooled = over_all_seeds(results)
    assert len(pooled) == len(CASES) * (8 + 5)
    assert pooled["seed"].isna().all()


def test_the_order_of_rows_does_not_matter(predictions: pd.DataFrame, results: pd.DataFrame) -> None:
    shuffled = pd.concat(
        [
            part.sample(frac=1, random_state=1)
            for _, part in predictions.groupby(["variant", "evaluation", "treated_by"], sort=False)
        ]
    )
    pd.testing.assert_frame_equal(results_table(shuffled, "Male", "Blond_Hair"), results)


@pytest.mark.parametrize("column", ["value", "low", "high", "n"])
def test_the_wide_table_has_one_row_per_evaluation_that_was_made(results: pd.DataFrame, column: str) -> None:
    wide = wide_results(results, column)
    assert list(wide.columns) == [
        "variant", "evaluation", "treated_by", "all", "men", "women", "women - men",
        "men with Blond_Hair", "men without Blond_Hair", "women with Blond_Hair", "women without Blond_Hair",
    ]  # fmt: skip
    assert list(wide[["variant", "evaluation", "treated_by"]].itertuples(index=False, name=None)) == list(CASES)
    pooled = over_all_seeds(results)
    for row in accuracy_and_gap(pooled).itertuples():
        same = (
            (wide["variant"] == row.variant)
            & (wide["evaluation"] == row.evaluation)
            & (wide["treated_by"] == row.treated_by)
        )
        assert wide.loc[same, row.group].item() == getattr(row, column)


def test_names_follow_the_target(predictions: pd.DataFrame) -> None:
    assert gap_name("Male") == "women - men"
    assert gap_name("Smiling") == "not Smiling - Smiling"
    groups = results_table(predictions, "Smiling", "Eyeglasses")["group"].unique().tolist()
    assert groups[1:4] == ["Smiling", "not Smiling", "Smiling with Eyeglasses"]
    assert wide_results(results_table(predictions, "Smiling", "Eyeglasses")).columns[6] == "not Smiling - Smiling"


def test_a_natural_population_sees_its_commonest_cells(predictions: pd.DataFrame, results: pd.DataFrame) -> None:
    named = ("men with Blond_Hair", "men without Blond_Hair", "women with Blond_Hair", "women without Blond_Hair")
    prevalence = pd.Series(dict(zip(named, (1, 99, 30, 70), strict=True)))
    cells = cells_by_face(predictions, "Male", "Blond_Hair")
    natural = wide_results(natural_table(predictions, "Male", cells, prevalence))
    equal = wide_results(results)
    expected = 0.01 * equal["men with Blond_Hair"] + 0.99 * equal["men without Blond_Hair"]
    assert natural["men"].tolist() == pytest.approx(expected.tolist())


def test_a_score_of_one_half_says_no() -> None:
    row = {"variant": "v", "evaluation": "clean", "treated_by": "", "seed": 0, "score": 0.5}
    both = [{**row, "face": str(number), "target": number < 2, "confounder": number % 2 == 0} for number in range(4)]
    values = results_table(pd.DataFrame(both), "Male", "Young").set_index("group")["value"]
    assert values["men"].tolist() == [0, 0]
    assert values["women"].tolist() == [1, 1]


def test_results_survive_the_file(results: pd.DataFrame, tmp_path: Path) -> None:
    results.to_parquet(tmp_path / "results.parquet", index=False)
    pd.testing.assert_frame_equal(read_results(tmp_path), results)


def test_results_that_cannot_be_read(results: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FairsalError, match="has no results"):
        read_results(tmp_path)
    (tmp_path / "results.parquet").write_bytes(b"rubbish")
    with pytest.raises(FairsalError, match="cannot be read"):
        read_results(tmp_path)
    results.drop(columns="low").to_parquet(tmp_path / "results.parquet")
    with pytest.raises(FairsalError, match="lack the column 'low'"):
        read_results(tmp_path)


def test_a_class_with_a_dash_in_its_name_is_no_gap(predictions: pd.DataFrame) -> None:
    results = results_table(predictions, "Male", "race=Latino - Hispanic")
    assert wide_results(results).columns[6] == "women - men"
    table = accuracy_table(results)
    assert not table["men with race=Latino - Hispanic"].str.startswith(("+", "-")).any()
    assert table["women - men"].str.startswith(("+", "-")).all()
