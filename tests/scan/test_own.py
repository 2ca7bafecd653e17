"""What is a column's own, against least squares for one column at a time."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fairsal_core.scan import DIFFERS, columns_of, families_of, scan
from fairsal_core.scan.own import own_differences

FACES = 1200
LEVEL = 0.95


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Decisions that follow "cause", and "effect", which often comes with it; its "twin" nearly always does."""
    generator = np.random.default_rng(seed)
    target = generator.random(FACES) < 0.5
    cause = generator.random(FACES) < 0.25
    table = pd.DataFrame({"effect": np.where(generator.random(FACES) < 0.4, cause, generator.random(FACES) < 0.45)})
    table["cause"], table["twin"] = cause, cause ^ (generator.random(FACES) < 0.03)
    table["alone"] = pd.Series(generator.random(FACES) < 0.4).astype("boolean").mask(generator.random(FACES) < 0.2)
    yes = generator.random(FACES) < 0.15 + 0.5 * target + 0.3 * cause
    return yes, target, table


def by_least_squares(
    yes: np.ndarray, table: pd.DataFrame, name: str, families: dict[str, int]
) -> tuple[float, float, float]:
    """The coefficient of one column beside those of other families, and its interval, a face at a time."""
    values = {each: table[each].astype("Float64").to_numpy(float, na_value=np.nan) for each in table}
    centred = {each: np.nan_to_num(column - np.nanmean(column)) for each, column in values.items()}
    beside = [centred[each] for each in table if families[each] != families[name]]
    design = np.stack([np.ones(len(yes)), centred[name], *beside], axis=1)
    whole = np.stack([np.ones(len(yes)), *centred.values()], axis=1)
    found = np.linalg.lstsq(design, yes.astype(float), rcond=None)[0]
    inverse, of_whole = np.linalg.inv(design.T @ design), np.linalg.inv(whole.T @ whole)
    middle = np.zeros_like(inverse)
    for row, all_of_it, said in zip(design, whole, yes, strict=True):
        error = (said - row @ found) / (1 - all_of_it @ of_whole @ all_of_it)
        middle += error**2 * np.outer(row, row)
    half = norm.ppf((1 + LEVEL) / 2) * np.sqrt((inverse @ middle @ inverse)[1, 1])
    return found[1], found[1] - half, found[1] + half


def test_a_column_s_own_difference_is_its_coefficient_beside_other_families() -> None:
    yes, target, table = drawn()
    columns = columns_of(table)
    families = families_of(columns)
    by_name = dict(zip(columns.names, families, strict=True))
    assert by_name["cause"] == by_name["twin"] != by_name["effect"]
    found = own_differences(columns, families, yes.astype(float), target, LEVEL)
    for rates, rows in zip(found, (target, ~target), strict=True):
        for place, name in enumerate(columns.names):
            own = rates.value[place], rates.low[place], rates.high[place]
            assert own == pytest.approx(by_least_squares(yes[rows], table[rows], name, by_name)), name


def test_what_only_comes_with_another_column_falls_behind_it() -> None:
    yes, target, table = drawn()
    found = scan(yes, target, table).set_index("attribute")
    assert found["verdict"][["cause", "twin", "effect"]].tolist() == [DIFFERS] * 3
    assert found.index.tolist()[:2] == ["cause", "twin"]
    assert found.loc["effect", "own_low"] == 0 < found.loc["twin", "own_low"]


def test_errors_of_both_kinds_in_one_group_count_as_much_as_a_shift() -> None:
    generator = np.random.default_rng(1)
    target, hard, shifted = generator.random((3, 4000)) < 0.5
    wrong = generator.random(4000) < 0.1 + 0.3 * hard
    yes = (target ^ wrong) | (shifted & (generator.random(4000) < 0.1))
    found = scan(yes, target, pd.DataFrame({"shifted": shifted, "hard": hard}))
    assert found["attribute"].tolist() == ["hard", "shifted"]
    assert found["own"][0] == pytest.approx(0.3, abs=0.06)


def test_columns_that_others_explain_have_nothing_of_their_own() -> None:
    generator = np.random.default_rng(2)
    one, two = generator.random((2, 500)) < 0.5
    table = pd.DataFrame({"one": one, "two": two, "three": generator.random(500) < 0.5, "both": one & two})
    columns = columns_of(table)
    apart = np.arange(4)
    exact = columns._replace(has=np.column_stack([columns.has[:, :3], columns.has[:, 0]]))
    rates = own_differences(exact, apart, (one ^ two).astype(float), two, LEVEL)[0]
    assert np.isnan(rates.value[[0, 3]]).all() and np.isfinite(rates.value[2])


def test_the_target_s_own_companions_are_marked() -> None:
    yes, target, table = drawn()
    found = scan(yes, target, table.assign(companion=target ^ (np.arange(FACES) % 10 == 0))).set_index("attribute")
    assert found.loc["companion", "with_target"] == pytest.approx(0.8, abs=0.05)
    assert abs(found.loc["alone", "with_target"]) < 0.1
