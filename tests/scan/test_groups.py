"""Groups of a run's variants over all seeds, on sets with classes and with faces whose label is unknown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.metrics import GROUP_RATES
from fairsal_core.results import CANNOT_SAY, answers, compare_variants, over_all_seeds, results_table
from fairsal_core.scan import (
    POPULATION,
    Decided,
    Groups,
    cells_of_faces,
    compare_groups,
    group_changes,
    groups_by_variant,
    groups_of,
    labels_in,
)
from tests.helpers import faces_in_memory
from tests.metrics.test_crossed import FAIRLEARN
from tests.reports.conftest import made_up_predictions

RACES = ["Black", "East Asian", "Indian", "Latino", "Middle Eastern", "Southeast Asian", "White"]


def clean(variant: str, seeds: tuple[int, ...] = (0, 1, 2), per_cell: int = 30) -> pd.DataFrame:
    rows = made_up_predictions(seeds, per_cell)
    return rows[rows["variant"].eq(variant) & rows["evaluation"].eq("clean")]


def fairface(count: int) -> FaceDataset:
    """Faces of seven races, of which some are unknown, and of two ages, as FairFace has classes."""
    generator = np.random.default_rng(7)
    faces = faces_in_memory({"Young": generator.random(count) < 0.5})
    race = pd.Categorical(generator.choice(RACES, count), categories=RACES)
    race[::9] = None
    faces.attributes["race"] = race
    return faces


def groups(part: pd.DataFrame, faces: FaceDataset, protected: list[str], **how: str) -> Groups:
    return groups_of(Decided.of(answers(part), "one", "Male"), faces, protected, **how)


def test_by_the_confounder_the_cells_are_the_four_that_results_have() -> None:
    part = clean("original")
    found = groups(part, labels_in(part, "Blond_Hair", "memory"), ["Blond_Hair"])
    results = over_all_seeds(results_table(part, "Male", "Blond_Hair"))
    four = results[results["metric"] == "accuracy"].iloc[3:]
    assert found.cells["group"].tolist() == four["group"].tolist()
    numbers = ["value", "low", "high", "n"]
    assert found.cells[numbers].to_numpy(float) == pytest.approx(four[numbers].to_numpy(float))


def test_by_the_confounder_the_worst_and_its_change_are_those_of_the_four_cells() -> None:
    before, after = clean("original"), clean("general_mask@0.7")
    faces = labels_in(before, "Blond_Hair", "memory")
    two = [groups(part, faces, ["Blond_Hair"]) for part in (before, after)]
    one = compare_groups(*two, group_changes(before, after, "Male", faces, ["Blond_Hair"]))
    worst = compare_variants(before, after, "Male", "Blond_Hair", -0.7)[0]
    for mine, theirs in zip(one[3:6], worst[3:6], strict=True):
        assert mine is not None and theirs is not None
        assert mine[:4] == pytest.approx(theirs[:4])
    assert one.candidate is not None and worst.candidate is not None and one.candidate.about == worst.candidate.about


def test_a_population_weighs_labels_as_all_faces_of_the_split_have_them() -> None:
    part = clean("original")
    generator = np.random.default_rng(2)
    judged = part.drop_duplicates("face").set_index("face")
    has, race = generator.random(900) < 0.7, generator.choice(RACES, 900)
    names = [*judged.index.astype(str), *(f"{number}.png" for number in range(900 - len(judged)))]
    has[: len(judged)] = judged["target"]
    attributes = pd.DataFrame({"Male": has, "race": pd.Categorical(race, categories=RACES)}, index=names)
    split = pd.Series(["test"] * 800 + ["train"] * 100, index=names)
    faces = replace(faces_in_memory({"Male": has}), attributes=attributes, split=split, rows=None, packed=None)
    found = groups(part, faces, ["race"], view=POPULATION).table.set_index(["group", "metric"])["value"]
    for name in RACES:
        share = has[:800][race[:800] == name].mean()
        of = found[f"race={name}"]
        assert of["accuracy"] == pytest.approx(
            share * of["true_positive_rate"] + (1 - share) * (1 - of["false_positive_rate"])
        )


@pytest.mark.parametrize("protected", [["race"], ["race", "Young"]])
def test_classes_and_unknown_ones_are_fairlearns_groups(protected: list[str]) -> None:
    part = clean("original")
    faces = fairface(120)
    found = groups(part, faces, protected)
    race = faces.attributes["race"].astype(object).map("race={}".format, na_action="ignore").fillna("race unknown")
    young = ", " + faces.attributes["Young"].map({True: "Young", False: "not Young"})
    named = race + (young if "Young" in protected else "")
    frames = [
        MetricFrame(metrics=FAIRLEARN, y_true=rows["target"], y_pred=rows["score"] > 0.5, sensitive_features=named)
        for rows in (rows.set_index("face").loc[faces.names] for _, rows in part.groupby("seed"))
    ]
    mean = pd.concat([frame.by_group.astype(float) for frame in frames]).groupby(level=0).mean()
    rates = found.table[found.table["metric"].isin(GROUP_RATES) & found.table["n"].gt(0)]
    assert rates["value"].notna().all()
    assert rates["value"].tolist() == pytest.approx([mean.loc[row.group, row.metric] for row in rates.itertuples()])
    assert any("race unknown" in name for name in found.sizes.index)
    assert found.sizes.sum() == 120 and len(found.sizes) >= 8


def test_a_several_valued_attribute_has_as_many_cells_as_it_needs_and_small_ones_do_not_count() -> None:
    part = clean("original")
    found = groups(part, fairface(120), ["race"])
    assert len(found.cells) == 16 and found.cells["group"].iloc[0] == "men with race=Black"
    assert found.cells["group"].iloc[[7, 15]].tolist() == ["men with race unknown", "women with race unknown"]
    few = found.cells[found.cells["n"] < 10]
    assert len(few) and not few["counted"].any()
    crossed = groups(part, fairface(120), ["race", "Young"])
    assert crossed.left_out and "too small" in crossed.left_out_note
    assert "men with race=Black and without Young" in crossed.cells["group"].tolist()


@pytest.mark.parametrize("protected", [["race"], ["race", "Young"]])
def test_cells_of_faces_are_those_that_rates_are_of(protected: list[str]) -> None:
    part = clean("original")
    faces = fairface(part["face"].nunique())
    faces = FaceDataset(
        "memory", faces.root, faces.image_folder, faces.attributes.set_axis(part["face"].unique()), faces.split
    )
    has = part.drop_duplicates("face").set_index("face")["target"].astype(bool)
    found = cells_of_faces(has, "Male", faces, protected)
    table = groups(part, faces, protected).cells
    assert list(found.of.cat.categories) == table["group"].tolist()
    assert found.of.value_counts()[table["group"]].tolist() == table["n"].tolist()
    for row in table.itertuples():
        (group,) = [name for name, cells in found.groups.items() if table.index.get_loc(row.Index) in cells]
        assert str(row.group).endswith(group)
    assert found.of[has.index[0]].startswith("men" if has.iloc[0] else "women")


def test_where_no_group_counts_nobody_is_the_worst() -> None:
    part = clean("original", per_cell=2)
    faces = fairface(8)
    found = groups(part, faces, ["race", "Young"])
    assert found.worst is None
    one = compare_groups(found, found, None)
    assert one.candidate is None and one.change is None and one.word == CANNOT_SAY


def test_every_variant_is_kept_with_its_change_from_the_reference() -> None:
    predictions = made_up_predictions((0, 1, 2))
    kept = groups_by_variant(predictions, "Male", fairface(120), ["race"], "original")
    assert [each.variant for each in kept] == ["original", "balanced", "general_mask@0.7"]
    first, second, _ = kept
    assert first.changes == () and second.reference == "original" and second.seeds == (0, 1, 2)
    keys = ["group", "metric"]
    both = first.table.merge(second.table, on=keys).merge(second.changes_table, on=keys)
    assert len(both) == 8 * 5
    assert both["value"].to_numpy(float) == pytest.approx((both["value_y"] - both["value_x"]).to_numpy(float))


def test_other_faces_or_seeds_cannot_be_paired() -> None:
    before, after = clean("original", (0, 1)), clean("balanced", (2, 3))
    with pytest.raises(FairsalError, match="share no seed"):
        group_changes(before, after, "Male", fairface(120), ["race"])
    with pytest.raises(FairsalError, match="are not in 'memory' any more"):
        groups(before, fairface(100), ["race"])
