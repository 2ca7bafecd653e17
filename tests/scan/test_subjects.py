"""What a run or a table says of faces, and the groups that they are of."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, selection_rate

from fairsal_core.errors import FairsalError
from fairsal_core.faces import load_celeba
from fairsal_core.results import TableOf, read_brought, read_predictions
from fairsal_core.scan import (
    DIFFERS,
    IMPACT_RATIO,
    Judged,
    Subject,
    attributes_of,
    changed_sides,
    groups_of,
    judged_by,
    judged_in,
    scan,
    subjects_of,
    worst_decile,
)
from fairsal_core.settings import parse_audit
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
        (judged,) = judged_in(path, faces, TableOf("Smiling"))
        assert judged.faces.tolist() == faces.names[5:].tolist()
        assert judged.yes.tolist() == (table["score"] > 0.5).astype(float).tolist()
        assert judged.has.tolist() == faces.labels("Smiling")[5:].tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("face,score\nnobody.jpg,1\n", "is taken for a score"),
        ("face,score\n000001.jpg,7\n000002.jpg,-2\n", "holds -2 to 7"),
    ],
)
def test_a_table_that_does_not_do_is_a_sentence(tmp_path: Path, drawn_folder: Path, content: str, said: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(FairsalError, match=said):
        judged_in(path, load_celeba(drawn_folder), TableOf("Smiling"))


def test_a_table_of_several_models_and_logits_is_read_as_an_audit_reads_it(tmp_path: Path, drawn_folder: Path) -> None:
    faces = load_celeba(drawn_folder)
    logits = np.linspace(-3, 2, len(faces))
    parts = [pd.DataFrame({"face": faces.names, "z": sign * logits, "who": who}) for who, sign in (("a", 1), ("b", -1))]
    path = tmp_path / "both.csv"
    pd.concat(parts).to_csv(path, index=False)
    found = judged_in(path, faces, TableOf("Smiling", {"score": "z", "model": "who"}, "logits"))
    assert [each.name for each in found] == ["a", "b"]
    assert found[0].yes.tolist() == (logits > 0).tolist() and found[1].yes.tolist() == (logits < 0).tolist()
    config = parse_audit(
        {
            "data": str(drawn_folder),
            "target": "Smiling",
            "confounder": "Male",
            "predictions": [str(path)],
            "columns": "score=z,model=who",
            "scores": "logits",
        }
    )
    (brought,) = read_brought(config, faces)
    assert brought.table.loc[brought.table["model"] == "a", "score"].tolist() == found[0].scores.tolist()


def test_ready_selections_are_faces_that_changed_sides_and_the_worst_tenth(make_run: MakeRun) -> None:
    run = make_run()
    before, now = judged_by(run), judged_by(run, Subject("general_mask@0.7", 0))
    sides = changed_sides(now, before)
    wrong_before, wrong_now = (dict(zip(each.faces, each.wrong > 0.5, strict=True)) for each in (before, now))
    assert len(sides["wrong now"]) and len(sides["right now"])
    assert sides["wrong now"].tolist() == [f for f in now.faces if wrong_now[f] and not wrong_before[f]]
    assert sides["right now"].tolist() == [f for f in now.faces if wrong_before[f] and not wrong_now[f]]
    some = Judged(
        "x",
        "Male",
        pd.Index(list("abcd")),
        np.ones(4),
        np.array([True, True, False, True]),
        np.array([0.9, 0.6, 0.7, 0.8]),
    )
    assert worst_decile(some).tolist() == ["c"]
    assert worst_decile(some.only(frozenset("abd"))).tolist() == ["b"]
    with pytest.raises(FairsalError, match="no scores"):
        worst_decile(Judged("x", "Male", pd.Index(["a"]), np.ones(1), np.ones(1, dtype=bool)))


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
