"""Families of attributes, and phi, against numpy's correlation."""

import numpy as np
import pandas as pd
import pytest

from fairsal_core.scan import columns_of, correlations_of, families_of


def drawn() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 800)) < 0.4
    table = pd.DataFrame({"a": first, "not_a": ~first ^ (generator.random(800) < 0.05), "b": second})
    table["c"] = pd.Series(second ^ (generator.random(800) < 0.1)).astype("boolean").mask(generator.random(800) < 0.2)
    table["alone"] = generator.random(800) < 0.5
    return table


def test_phi_is_the_correlation_of_the_faces_that_have_both_labels() -> None:
    table = drawn()
    found = correlations_of(columns_of(table))
    for row, one in enumerate(table.columns):
        for column, other in enumerate(table.columns):
            both = table[[one, other]].dropna().astype(float)
            assert found[row, column] == pytest.approx(np.corrcoef(both.iloc[:, 0], both.iloc[:, 1])[0, 1])


def test_what_comes_together_or_never_is_one_family() -> None:
    families = families_of(columns_of(drawn()))
    assert families[0] == families[1]
    assert families[2] == families[3]
    assert len(set(families)) == 3


def test_columns_of_any_kind() -> None:
    table = pd.DataFrame(
        {
            "flag": [True, False, True],
            "sign": [-1, 1, -1],
            "age": [31, 20, 55],
            "word": ["x", "y", None],
            "race": pd.Categorical(["a", "b", "c"]),
            "same": [True, True, True],
        }
    )
    found = columns_of(table)
    assert found.names == ("flag", "sign", "word=x", "race=a", "race=b", "race=c")
    assert found.has[:, 1].tolist() == [False, True, False]
    assert found.known[:, 2].tolist() == [True, True, False]
    assert found.left_out == {"age": "it holds numbers, not classes", "same": "all faces have the same value"}
