"""Cells: of a confounder that is there or not, and of an attribute of several values."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    CELLS,
    Cell,
    FaceDataset,
    balanced_test,
    biased_subset,
    cell_members,
    cells_of,
    count_cells,
    counts_kept,
    counts_table,
    equal_cells,
    flags_of,
    group_labels,
    groups_of_faces,
    kept_counts,
    only_groups,
    with_or_without,
)
from tests.faces.test_subsets import faces_with

RACES = ("White", "Black", "East Asian")


@pytest.fixture
def faces() -> FaceDataset:
    """Faces of three races, some of unknown race."""
    plain = faces_with(test=(60, 90, 80, 70))
    kinds = np.random.default_rng(0).choice([*RACES, None], len(plain), p=[0.5, 0.3, 0.1, 0.1])
    race = pd.Categorical(kinds, RACES)
    return replace(plain, attributes=plain.attributes.assign(race=race))


def test_two_cells_for_each_value(faces: FaceDataset) -> None:
    counts = count_cells(faces, "Male", "race")
    assert list(counts) == [Cell(has, race) for has in (True, False) for race in RACES]
    male, race = faces.labels("Male"), faces.attributes["race"].to_numpy()
    for cell, count in counts.items():
        assert count == ((male == cell.target) & (race == cell.confounder)).sum()
    members = np.concatenate(list(cell_members(faces, "Male", "race").values()))
    assert sorted(members) == np.flatnonzero(faces.labelled("race")).tolist()


def test_a_test_set_has_equally_many_of_each(faces: FaceDataset) -> None:
    test = balanced_test(faces, "Male", "race")
    assert set(count_cells(test, "Male", "race").values()) == {equal_cells(faces.in_split("test"), "Male", "race")}
    few = balanced_test(faces, "Male", "race", 3)
    assert list(count_cells(few, "Male", "race").values()) == [3] * 6
    with pytest.raises(FairsalError, match="women with race=East Asian 100000 wanted"):
        balanced_test(faces, "Male", "race", 100_000)


def test_a_value_that_nobody_has_is_named(faces: FaceDataset) -> None:
    more = replace(
        faces, attributes=faces.attributes.assign(race=faces.attributes["race"].cat.add_categories("Indian"))
    )
    with pytest.raises(FairsalError, match="men with race=Indian 1 wanted, 0 available"):
        balanced_test(more, "Male", "race")
    assert len(count_cells(only_groups(more, "race", RACES), "Male", "race")) == 6


def test_some_values_alone_in_an_order_of_ones_own(faces: FaceDataset) -> None:
    some = only_groups(faces, "race", ("East Asian", "White"))
    of, groups = groups_of_faces(some, "race")
    assert groups == ("East Asian", "White")
    race = faces.attributes["race"].to_numpy()
    assert (of == np.select([race == "East Asian", race == "White"], [0, 1], -1)).all()
    assert only_groups(faces, "Blond_Hair", (True,)) is faces


def test_a_binary_attribute_has_the_four_cells(faces: FaceDataset) -> None:
    assert tuple(count_cells(faces, "Male", "Blond_Hair")) == CELLS
    of, groups = groups_of_faces(faces, "race=Black")
    assert groups == (True, False)
    known = faces.labelled("race")
    assert (of[known] == np.where(faces.attributes["race"].to_numpy()[known] == "Black", 0, 1)).all()
    assert (of[~known] == -1).all()


def test_tables_keep_flags_or_values(faces: FaceDataset) -> None:
    labelled = faces.with_label("race")
    assert flags_of(labelled, "race") is None
    assert list(group_labels(labelled, "race").categories) == list(RACES)
    assert group_labels(labelled, "Blond_Hair").dtype == bool
    assert (flags_of(labelled, "Blond_Hair") == labelled.labels("Blond_Hair")).all()


def test_training_with_a_confounder_wants_one_that_is_there_or_not(faces: FaceDataset) -> None:
    with pytest.raises(FairsalError, match=r"'race' has classes .*such as 'race=White'"):
        biased_subset(faces, "Male", "race")


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=5, unique=True), st.integers(0, 10**6))
def test_counts_are_read_back_as_they_were(values: list[str], count: int) -> None:
    counts = {cell: count + place for place, cell in enumerate(cells_of(values))}
    assert counts_kept(kept_counts(counts)) == counts


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"target_with": 1, "target_without": 2, "other_with": 3},
        {"target_with": 1, "target_without": 2, "other_with": 3, "other_without": -1},
        {"target_with": 1, "target_without": 2, "other_with": 3, "other_without": True},
        {"target_with": 1, "target_without": 2, "other_with": 3, "other_without": "4"},
        {"target=a": 1, "other=a": 2},
        {"target=a": 1, "other=a": 2, "target=b": 3},
        {"target=a": 1, "other=a": 2, "target_with": 1, "other_with": 2},
        {"target=a": 1, "other=a": 2, "target": 1, "other": 2},
        {"mine=a": 1, "other=a": 2, "mine=b": 1, "other=b": 2},
    ],
    ids=lambda kept: "-".join(kept)[:40] or "none",
)
def test_what_are_no_counts_of_cells(kept: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"count|cell"):
        counts_kept(kept)


def test_counts_beside_each_other() -> None:
    one, other = Cell(True, "Black"), Cell(False, "Black")
    table = counts_table({"tested": {one: 2, other: 2}, "there": {one: 5}}, "Male", "race")
    assert table.index.tolist() == ["men with race=Black", "women with race=Black"]
    assert table["there"].tolist() == [5, 0]
    assert with_or_without("race", "Black") == "with race=Black"
