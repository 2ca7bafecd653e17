"""What a run or a table says of faces, and the groups that they are of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, selection_rate

from fairsal_core.errors import FairsalError
from fairsal_core.faces import load_celeba
from fairsal_core.results import read_predictions
from fairsal_core.scan import (
    DIFFERS,
    IMPACT_RATIO,
    Judged,
    Subject,
    attributes_of,
    groups_of,
    judged_by,
    judged_in,
    scan,
    subjects_of,
)
from tests.helpers import faces_in_memory
from tests.scan.conftest import MakeRun


def test_a_run_is_scanned_by_its_predictions(make_run: MakeRun, drawn_folder: Path) -> None:
    run = make_run()
    judged = judged_by(run)
    assert judged.name == "original, seed 0"
    attributes = attributes_of(str(drawn_folder), judged)
    assert "Male" not in attributes
    found = scan(judged.yes, judged.has, attributes, threshold=None, fewest=10)
    assert found["attribute"][0] == "Eyeglasses" and found["verdict"][0] == DIFFERS
    other = judged_by(run, Subject("general_mask@0.7", 1))
    after = scan(other.yes, other.has, attributes, threshold=None, fewest=10)
    assert not (after["verdict"] == DIFFERS).any()


def test_every_network_of_a_run_is_a_subject(make_run: MakeRun) -> None:
    run = make_run()
    names = [each.name for each in subjects_of(read_predictions(run.path))]
    assert names == ["original, seed 0", "original, seed 1", "general_mask@0.7, seed 0", "general_mask@0.7, seed 1"]
    with pytest.raises(FairsalError, match="did you mean 'original, seed 1'"):
        judged_by(run, Subject("original", 7))


def test_a_table_of_scores_is_read_by_the_names_of_its_columns(tmp_path: Path, drawn_folder: Path) -> None:
    faces = load_celeba(drawn_folder)
    table = pd.DataFrame({"File_Name": faces.names, "score": np.linspace(0, 1, len(faces))}).iloc[5:]
    for name in ("scores.csv", "scores.tsv", "scores.parquet"):
        path = tmp_path / name
        if path.suffix == ".parquet":
            table.to_parquet(path)
        else:
            table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
        judged = judged_in(path, faces, "Smiling")
        assert judged.faces.tolist() == faces.names[5:].tolist()
        assert judged.yes.tolist() == (table["score"] > 0.5).astype(float).tolist()
        assert judged.has.tolist() == faces.labels("Smiling")[5:].tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("face,mood\na.jpg,1\n", "needed are"),
        ("face,score\nnobody.jpg,1\n", "None of the 1 rows"),
        ("face,score\n000001.jpg,7\n000002.jpg,-2\n", "from -2 to 7"),
    ],
)
def test_a_table_that_does_not_do_is_a_sentence(tmp_path: Path, drawn_folder: Path, content: str, said: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(FairsalError, match=said):
        judged_in(path, load_celeba(drawn_folder), "Smiling")


def test_faces_that_are_gone_are_counted(drawn_folder: Path) -> None:
    judged = Judged("x", "Male", pd.Index(["000001.jpg", "gone.jpg"]), np.ones(2), np.ones(2, dtype=bool))
    with pytest.raises(FairsalError, match=r"1 of 2 judged faces are not in .* such as gone.jpg"):
        attributes_of(str(drawn_folder), judged)


def test_groups_of_any_number_of_values_with_the_unknown_by_themselves() -> None:
    generator = np.random.default_rng(0)
    faces = faces_in_memory({"Male": generator.random(600) < 0.5, "Smiling": generator.random(600) < 0.5})
    race = pd.Series(pd.Categorical(generator.choice(["a", "b", "c"], 600)), index=faces.names)
    race[:40] = np.nan
    race = race.cat.add_categories("rare")
    race[40:45] = "rare"
    faces.attributes["race"] = race
    judged = Judged("x", "Male", faces.names, (generator.random(600) < 0.5).astype(float), faces.labels("Male"))
    groups = groups_of(judged, faces, ["race", "Smiling"])
    assert len(groups.sizes) == 10 and groups.sizes.sum() == 600
    assert "race unknown, Smiling" in groups.sizes.index and "race=a, not Smiling" in groups.sizes.index
    assert set(groups.left_out) == {"race=rare, Smiling", "race=rare, not Smiling"}
    assert "2 of 10 groups, with 5 of 600 faces, are too small" in groups.left_out_note
    frame = MetricFrame(
        metrics=selection_rate,
        y_true=judged.has,
        y_pred=judged.yes,
        sensitive_features=pd.DataFrame(
            {"race": race.astype(object).fillna("nan").to_numpy(), "smiling": faces.labels("Smiling")}, index=range(600)
        ),
    )
    rates = groups.table[groups.table["metric"] == "selection_rate"].set_index("group")
    assert rates.loc["race=b, Smiling", "value"] == pytest.approx(frame.by_group["b", True])
    assert rates.loc["race unknown, not Smiling", "value"] == pytest.approx(frame.by_group["nan", False])
    large = frame.by_group.drop("rare", level=0)
    assert groups.spreads["selection_rate"].difference == pytest.approx(large.max() - large.min())
    ratios = groups.table[groups.table["metric"] == IMPACT_RATIO].set_index("group")
    assert ratios["value"].max() == 1
    assert ratios.loc["race=rare, Smiling", "value"] != ratios.loc["race=rare, Smiling", "value"]


def test_groups_need_an_attribute_that_is_there() -> None:
    faces = faces_in_memory({"Male": [True, False]})
    judged = Judged("x", "Male", faces.names, np.ones(2), faces.labels("Male"))
    for protected, said in (([], "one protected attribute"), (["Malle"], "did you mean 'Male'")):
        with pytest.raises(FairsalError, match=said):
            groups_of(judged, faces, protected)
