"""The answer first: numbers, what they are worth, and the sentences that say so."""

import pandas as pd
import pytest

from fairsal_core.faces import CELLS
from fairsal_core.metrics import shortcut_gap
from fairsal_core.results import (
    BEYOND_NOISE,
    CANNOT_SAY,
    TOO_FEW_SEEDS,
    compare_attention,
    compare_variants,
    gaps_disagree,
    in_sentences,
)
from tests.reports.conftest import made_up_predictions


def clean(variant: str, seeds: tuple[int, ...], per_cell: int = 30) -> pd.DataFrame:
    rows = made_up_predictions(seeds, per_cell)
    return rows[rows["variant"].eq(variant) & rows["evaluation"].eq("clean")]


@pytest.mark.parametrize(
    ("seeds", "per_cell", "word"),
    [((0, 1, 2, 3), 30, BEYOND_NOISE), ((0,), 30, TOO_FEW_SEEDS), ((0, 1, 2, 3), 8, CANNOT_SAY)],
)
def test_a_change_is_worth_what_seeds_and_faces_allow(seeds: tuple[int, ...], per_cell: int, word: str) -> None:
    pair = (clean(name, seeds, per_cell) for name in ("original", "balanced"))
    worst, shortcut, accuracy = compare_variants(*pair, "Male", "Blond_Hair", -0.7)
    assert [one.word for one in (worst, shortcut, accuracy)] == [word] * 3
    assert worst.better is (True if word == BEYOND_NOISE else None)


def test_numbers_are_those_of_the_cells_and_the_change_their_difference() -> None:
    before, after = (clean(name, (0, 1, 2)) for name in ("original", "general_mask@0.7"))
    worst, shortcut, accuracy = compare_variants(before, after, "Male", "Blond_Hair", -0.7)

    def cells(part: pd.DataFrame) -> list[float]:
        right = (part["score"] > 0.5) == part["target"]
        by_cell = right.groupby([part["target"], part["confounder"]]).mean()
        return [float(by_cell[cell]) for cell in map(tuple, CELLS)]

    first, second = cells(before), cells(after)
    for one, expected in ((worst, min), (shortcut, shortcut_gap), (accuracy, lambda each: sum(each) / 4)):
        assert one.reference is not None and one.candidate is not None and one.change is not None
        assert one.reference.value == pytest.approx(expected(first))
        assert one.candidate.value == pytest.approx(expected(second))
        assert one.change.value == pytest.approx(expected(second) - expected(first))
        assert one.change.low < one.change.value < one.change.high
    assert worst.reference is not None
    assert worst.reference.about == "men with Blond_Hair"


def test_the_correlation_says_which_cells_conflict() -> None:
    pair = [clean(name, (0, 1)) for name in ("original", "balanced")]
    one, other = (compare_variants(*pair, "Male", "Blond_Hair", phi)[1].reference for phi in (-0.7, 0.7))
    assert one is not None and other is not None
    assert one.value == pytest.approx(-other.value)


def test_variants_that_share_no_seed_keep_their_numbers_and_no_change() -> None:
    compared = compare_variants(clean("original", (0,)), clean("balanced", (1,)), "Male", "Blond_Hair", -0.7)
    assert all(one.change is None and one.word == CANNOT_SAY and one.candidate for one in compared)


def test_attention_is_paired_face_by_face() -> None:
    faces = [f"{number}.jpg" for number in range(20)]
    before = pd.DataFrame({"seed": 0, "face": faces, "rrf": [0.5 + 0.01 * number for number in range(20)]})
    one = compare_attention(before, before.assign(rrf=before["rrf"] - 0.1))
    assert one.change is not None
    assert (one.change.low, one.change.value, one.change.n) == (pytest.approx(-0.1), pytest.approx(-0.1), 20)
    assert one.word == TOO_FEW_SEEDS
    assert compare_attention(before, before.iloc[:0]).candidate is None


def test_three_sentences_without_a_number_that_name_the_worst_cell() -> None:
    pair = (clean(name, (0, 1, 2, 3)) for name in ("original", "general_mask@0.7"))
    compared = [*compare_variants(*pair, "Male", "Blond_Hair", -0.7), compare_attention(pd.DataFrame(), pd.DataFrame())]
    sentences = in_sentences(compared, "A", "B", "hair")
    assert len(sentences) == 3
    assert "B fails men with Blond_Hair most" in sentences[0]
    assert sentences[1] == "Beyond noise, B leans less on hair than A."
    assert sentences[2].endswith("Where it looks was not measured.")


def test_a_gap_that_hides_the_shortcut_is_told() -> None:
    assert "fare alike" in gaps_disagree(0.0, 0.6, "men", "women")
    assert "not because of the confounder" in gaps_disagree(0.3, 0.0, "men", "women")
    assert gaps_disagree(0.2, 0.25, "men", "women") == ""
