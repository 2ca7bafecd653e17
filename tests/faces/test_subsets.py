"""Subsets: exact counts from the right split, or an error that says what would fit."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    CELLS,
    Cell,
    CellCounts,
    FaceDataset,
    balanced_counts,
    balanced_test,
    biased_subset,
    cell_members,
    cell_name,
    counts_table,
    feasible_scale,
    group_name,
)
from tests.helpers import faces_in_memory

AVAILABLE = (4, 30, 20, 12)
COUNTS = st.tuples(*[st.integers(0, 60)] * 4)


def counts_of(numbers: tuple[int, ...]) -> CellCounts:
    return CellCounts(**dict(zip(CellCounts.model_fields, numbers, strict=True)))


def faces_with(train: tuple[int, ...] = AVAILABLE, test: tuple[int, ...] = (3, 5, 4, 6)) -> FaceDataset:
    """Faces with so many per cell of the train and the test split, in an order that mixes everything."""
    cells = [
        (cell, split)
        for split, sizes in (("train", train), ("test", test))
        for cell, size in zip(CELLS, sizes, strict=True)
        for _ in range(size)
    ]
    order = np.random.default_rng(7).permutation(len(cells))
    mixed = [cells[place] for place in order]
    return faces_in_memory(
        {"Male": [cell.target for cell, _ in mixed], "Blond_Hair": [cell.confounder for cell, _ in mixed]},
        [split for _, split in mixed],
    )


def slow_count(faces: FaceDataset, cell: Cell) -> int:
    pairs = zip(faces.attributes["Male"], faces.attributes["Blond_Hair"], strict=True)
    return sum(1 for pair in pairs if pair == tuple(cell))


# ---- counts


def test_the_default_is_the_papers() -> None:
    assert [CellCounts()[cell] for cell in CELLS] == [0, 3000, 2000, 1000]
    assert CellCounts().total == 6000


@pytest.mark.parametrize("text", ["0,3000,2000,1000", " 0, 3000 ,2000,1000 "])
def test_counts_read_from_text(text: str) -> None:
    assert CellCounts.model_validate(text) == CellCounts()


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "", "a,1,2,3", "-1,1,1,1", "1.5,1,1,1", {"target": 1}])
def test_text_that_is_no_counts(text: object) -> None:
    with pytest.raises(ValidationError):
        CellCounts.model_validate(text)


@given(COUNTS)
def test_phi_is_the_correlation_of_target_and_confounder(numbers: tuple[int, ...]) -> None:
    target = np.repeat([1, 1, 0, 0], numbers)
    confounder = np.repeat([1, 0, 1, 0], numbers)
    phi = counts_of(numbers).phi
    if not numbers or len(set(target)) < 2 or len(set(confounder)) < 2:
        assert phi == 0
    else:
        assert phi == pytest.approx(np.corrcoef(target, confounder)[0, 1], abs=1e-9)


def test_phi_of_extremes() -> None:
    assert counts_of((5, 0, 0, 9)).phi == pytest.approx(1)
    assert counts_of((0, 5, 9, 0)).phi == pytest.approx(-1)
    assert CellCounts.equal(7).phi == 0


def test_scaling_rounds_down_but_not_below_whole_numbers() -> None:
    assert counts_of((10, 3, 1, 0)).scaled(0.5) == counts_of((5, 1, 0, 0))
    assert counts_of((100, 200, 300, 400)).scaled(0.29) == counts_of((29, 58, 87, 116))


# ---- cells and names


def test_cells_partition_the_faces() -> None:
    faces = faces_with()
    members = cell_members(faces, "Male", "Blond_Hair")
    assert list(members) == list(CELLS) == [(True, True), (True, False), (False, True), (False, False)]
    assert sorted(np.concatenate(list(members.values()))) == list(range(len(faces)))
    assert [len(members[cell]) for cell in CELLS] == [slow_count(faces, cell) for cell in CELLS] == [7, 35, 24, 18]
    assert CellCounts.of(faces, "Male", "Blond_Hair") == counts_of((7, 35, 24, 18))


def test_target_and_confounder_have_to_differ() -> None:
    with pytest.raises(FairsalError, match="both 'Male'"):
        cell_members(faces_with(), "Male", "Male")


def test_names() -> None:
    assert [cell_name("Male", "Blond_Hair", cell) for cell in CELLS] == [
        "men with Blond_Hair",
        "men without Blond_Hair",
        "women with Blond_Hair",
        "women without Blond_Hair",
    ]
    assert group_name("Smiling", False) == "not Smiling"


# ---- biased subsets


@pytest.mark.parametrize("wanted", [(0, 30, 20, 10), (4, 0, 0, 0), (1, 2, 3, 4), AVAILABLE])
@pytest.mark.parametrize("split", ["train"])
def test_exact_counts_without_repeats_from_the_split(wanted: tuple[int, ...], split: str) -> None:
    subset = biased_subset(faces_with(), "Male", "Blond_Hair", counts_of(wanted), split=split)
    assert tuple(slow_count(subset, cell) for cell in CELLS) == wanted
    assert subset.names.is_unique
    assert set(subset.split) == {split}


def test_labels_of_a_subset_are_those_of_its_faces() -> None:
    faces = faces_with()
    subset = biased_subset(faces, "Male", "Blond_Hair", counts_of((1, 9, 9, 1)))
    assert subset.attributes.equals(faces.attributes.loc[subset.names])


def test_the_seed_chooses_faces_and_order() -> None:
    faces, wanted = faces_with(), counts_of((2, 15, 10, 6))
    first, again, other = (
        biased_subset(faces, "Male", "Blond_Hair", wanted, seed=seed).names.tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert set(first) != set(other)
    everything = [
        biased_subset(faces, "Male", "Blond_Hair", counts_of(AVAILABLE), seed=seed).names.tolist() for seed in (0, 1)
    ]
    assert everything[0] != everything[1]
    assert set(everything[0]) == set(everything[1])
    assert everything[0] != sorted(everything[0])


def test_cells_are_mixed() -> None:
    labels = biased_subset(faces_with(), "Male", "Blond_Hair", counts_of((0, 30, 20, 0))).labels("Male")
    assert labels[:30].sum() < 30


@given(wanted=COUNTS, available=st.tuples(*[st.integers(0, 30)] * 4))
def test_too_few_lists_the_cells_and_a_scale_that_fits(wanted: tuple[int, ...], available: tuple[int, ...]) -> None:
    asked, there = counts_of(wanted), counts_of(available)
    faces = faces_with(available, (1, 1, 1, 1))
    if not asked.total:
        with pytest.raises(FairsalError, match="subset is empty"):
            biased_subset(faces, "Male", "Blond_Hair", asked)
        return
    if all(want <= have for want, have in zip(wanted, available, strict=True)):
        assert feasible_scale(asked, there) == 1
        assert len(biased_subset(faces, "Male", "Blond_Hair", asked)) == sum(wanted)
        return
    with pytest.raises(FairsalError, match="Too few faces in the train split") as caught:
        biased_subset(faces, "Male", "Blond_Hair", asked)
    message = str(caught.value)
    listed = re.findall(r"(\d+) wanted, (\d+) available", message)
    assert [(int(want), int(have)) for want, have in listed] == list(zip(wanted, available, strict=True))
    found = re.search(r"the largest scale that fits is ([\d.]+)\.$", message)
    if found is None:
        assert message.endswith("no scale fits.")
        assert any(want and not have for want, have in zip(wanted, available, strict=True))
        return
    fitting = asked.scaled(float(found[1]))
    assert all(fitting[cell] <= there[cell] for cell in CELLS)
    assert all(asked[cell] * float(found[1]) <= there[cell] + 1e-9 for cell in CELLS)  # also before rounding down
    larger = float(found[1]) + 0.0011  # the message gives three decimals, rounded down
    assert any(asked[cell] * larger > there[cell] for cell in CELLS)
    if fitting.total:
        assert len(biased_subset(faces, "Male", "Blond_Hair", fitting)) == fitting.total


def test_an_unknown_attribute() -> None:
    with pytest.raises(FairsalError, match="did you mean 'Blond_Hair'"):
        biased_subset(faces_with(), "Male", "Blonde_Hair")


# ---- balanced


def test_balanced_counts_follow_the_rarest_cell() -> None:
    faces = faces_with()
    assert balanced_counts(faces, "Male", "Blond_Hair", 6000) == CellCounts.equal(4)
    assert balanced_counts(faces, "Male", "Blond_Hair", 11) == CellCounts.equal(2)


def test_balanced_counts_of_an_empty_cell() -> None:
    with pytest.raises(FairsalError, match=r"men with Blond_Hair 25 wanted, 0 available.*no scale fits"):
        balanced_counts(faces_with((0, 9, 9, 9)), "Male", "Blond_Hair", 100)


@pytest.mark.parametrize(("per_cell", "expected"), [(None, 3), (2, 2)])
def test_balanced_test_has_equal_cells_of_the_test_split(per_cell: int | None, expected: int) -> None:
    test = balanced_test(faces_with(), "Male", "Blond_Hair", per_cell)
    assert [slow_count(test, cell) for cell in CELLS] == [expected] * 4
    assert set(test.split) == {"test"}
    assert test.names.is_unique


def test_balanced_test_with_too_few() -> None:
    with pytest.raises(FairsalError, match=r"Too few faces in the test split.*4 wanted, 3 available"):
        balanced_test(faces_with(), "Male", "Blond_Hair", 4)
    with pytest.raises(FairsalError, match="in the val split"):
        balanced_test(faces_with(), "Male", "Blond_Hair", split="val")


def test_the_cell_table() -> None:
    table = counts_table(
        {"wanted": CellCounts().by_cell, "available": counts_of(AVAILABLE).by_cell}, "Male", "Blond_Hair"
    )
    assert table["wanted"].tolist() == [0, 3000, 2000, 1000]
    assert table["available"].tolist() == list(AVAILABLE)
    assert table.index[0] == "men with Blond_Hair"
