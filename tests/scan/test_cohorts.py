"""Cohorts: faces kept by a name, whatever the name is."""

from pathlib import Path

import pandas as pd
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.scan import delete_cohort, list_cohorts, read_cohort, save_cohort

NAMES = ["worst decile", "../../out", "Hüte & <b>Brillen</b>", "con", ".hidden", "a" * 60]


@pytest.mark.parametrize("name", NAMES)
def test_a_cohort_comes_back_under_its_name_and_lies_in_the_workspace(home: Path, name: str) -> None:
    save_cohort(name, "demo", ["b.jpg", "a.jpg", "b.jpg"], "drawn by hand")
    found = read_cohort(name)
    assert (found.name, found.data, found.faces) == (name, "demo", ("b.jpg", "a.jpg"))
    assert [path.parent for path in home.rglob("*.json")] == [home / "cohorts"]
    assert found.labels(pd.Index(["a.jpg", "c.jpg"])).tolist() == [True, False]
    delete_cohort(name)
    assert list_cohorts() == []


def test_cohorts_are_listed_by_name_and_by_set(home: Path) -> None:
    for name, data in (("b", "demo"), ("A", "demo"), ("c", "/other")):
        save_cohort(name, data, ["a.jpg"])
    (home / "cohorts" / "broken.json").write_text("{")
    assert [each.name for each in list_cohorts()] == ["A", "b", "c"]
    assert [each.name for each in list_cohorts("demo")] == ["A", "b"]
    with pytest.raises(FairsalError, match=r"no cohort 'C.*A, b, c"):
        read_cohort("Cc")


@pytest.mark.parametrize(("name", "faces"), [("", ["a"]), ("two\nlines", ["a"]), ("x" * 61, ["a"]), ("none", [])])
def test_what_is_no_cohort_is_refused(home: Path, name: str, faces: list[str]) -> None:
    with pytest.raises(FairsalError, match="no cohort"):
        save_cohort(name, "demo", faces)
    assert not list(home.rglob("*.json"))
