"""What data are called is no formula to a spreadsheet, and numbers stay numbers."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from fairsal_core.spreadsheets import as_csv, as_spreadsheet_csv, harmless

FORMULAS = ["=1+1", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://example.org")']


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_and_no_head_begins_a_formula(text: str) -> None:
    for dtype in ("str", "object", "category"):
        table = pd.DataFrame({text: pd.Series([text, "a"], dtype=dtype), "value": [-1.5, np.nan]})
        (head, _), (cell, number), *_ = csv.reader(io.StringIO(as_csv(table)))
        assert head == cell == f"'{text}".replace("\r", " ")
        assert number == "-1.5"


def test_numbers_stay_numbers() -> None:
    table = pd.DataFrame(
        {"a": [-1, 2], "b": [-0.5, np.nan], "c": ["-0.25", "+3"], "d": pd.array([-1, pd.NA], dtype="Int64")}
    )
    read = pd.read_csv(io.StringIO(as_csv(table)))
    assert read["a"].tolist() == [-1, 2]
    assert read["c"].tolist() == [-0.25, 3.0]
    pd.testing.assert_series_equal(read["b"], table["b"])
    assert read["d"].iloc[0] == -1
    assert all(kind in "if" for kind in (dtype.kind for dtype in read.dtypes))
    assert harmless(np.float64(-1)) == -1


def test_spreadsheets_are_told_the_encoding() -> None:
    table = pd.DataFrame({"name": ["Größe", "=1"]})
    assert as_spreadsheet_csv(table).startswith(b"\xef\xbb\xbfname")
    assert as_spreadsheet_csv(table).decode("utf-8-sig") == as_csv(table)
