"""Audits of classifiers: scores that are kept face by face, the causal check, and a whole run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import Subject, Treatment, build_classifier, predict_scores, scores_from
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import scoring
from fairsal_core.experiments.scoring import Hiding, said_of, scores_of
from fairsal_core.experiments.subjects import find_subject, find_subjects
from fairsal_core.faces import FaceDataset, balanced_test, list_faces
from fairsal_core.mitigation import relevance_of_features
from fairsal_core.reports import write_report
from fairsal_core.results import (
    DIFFERENCE,
    ELSEWHERE,
    REGION,
    list_attention,
    over_all_seeds,
    read_hidden,
    read_hidden_faces,
    read_predictions,
    read_results,
)
from fairsal_core.runs import RunFiles, check_run, load_run, read_content, run_here
from fairsal_core.scan import groups_by_variant, hidden_by_group, keep_groups
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings import parse_audit, parse_config
from tests.helpers import put_bundled

CPU = torch.device("cpu")
TINY = {
    "counts": "2,8,6,4",
    "schemes": [],
    "balanced": False,
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 2,
    "attention": {"explainers": ["none"]},
    "device": "cpu",
}


class Counting(nn.Module):
    """Says yes to bright pictures, and counts the pictures that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        bright = (images.mean(dim=(1, 2, 3)) - 0.5) * self.weight
        return torch.stack([-bright, bright], dim=1)


def counting(digest: str = "counting") -> tuple[Subject, Counting]:
    network = Counting().eval()
    return Subject("bright", 0, "counting", digest, lambda: network, lambda seed: network), network


def test_a_second_question_scores_only_faces_that_no_question_had_before(home: Path, drawn: FaceDataset) -> None:
    subject, network = counting()
    first = scores_of(subject, drawn.take(range(20)), None, CPU)
    assert network.seen == 20
    again = scores_of(subject, drawn.take([3, 5, 25, 19]), None, CPU)
    assert network.seen == 21
    np.testing.assert_allclose(again[[0, 1, 3]], first[[3, 5, 19]])
    other, second = counting("another")
    scores_of(other, drawn.take([3]), None, CPU)
    assert second.seen == 1


def test_one_pass_leaves_logits_and_features_for_every_later_question(
    home: Path, drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "AT_ONCE", 8)  # in three parts
    torch.manual_seed(0)
    network = build_classifier("three_conv").eval()
    faces = drawn.take(range(20))
    passes = []
    network.register_forward_pre_hook(lambda module, arguments: passes.append(len(arguments[0])))
    subject = Subject("new", 0, "three_conv", "features", lambda: network, lambda seed: network)
    said = said_of(subject, faces, None, CPU)
    np.testing.assert_array_equal(said.scores, scores_from(said.logits))
    expected = np.concatenate([predict_scores(network, faces.images[start : start + 8]) for start in (0, 8, 16)])
    np.testing.assert_array_equal(said.scores, expected)
    assert said.features is not None and said.features.dtype == np.float32 and said.features.shape == (20, 100)
    relevance = relevance_of_features(network, faces.images, said.features)
    np.testing.assert_allclose(relevance, relevance_of_features(network, faces.images), atol=1e-6)

    passes.clear()
    again = said_of(subject, faces.take([19, 2, 11]), None, CPU)
    np.testing.assert_array_equal(again.logits, said.logits[[19, 2, 11]])
    np.testing.assert_array_equal(again.features, said.features[[19, 2, 11]])  # type: ignore[arg-type]
    assert passes == []


def test_a_network_without_a_linear_end_has_logits_alone(home: Path, drawn: FaceDataset) -> None:
    subject, _ = counting()
    said = said_of(subject, drawn.take(range(4)), None, CPU)
    assert said.features is None and said.logits.shape == (4, 2)


def test_hidden_faces_are_scored_apart_from_clean_ones(home: Path, drawn: FaceDataset) -> None:
    subject, network = counting()
    faces = drawn.take(range(4))
    everything = torch.ones((128, 128), dtype=torch.bool)
    black = Hiding("all", Treatment(SCHEMES["general_mask"], everything, (0.0, 0.0, 0.0)), {"what": "all"})
    clean, hidden = scores_of(subject, faces, None, CPU), scores_of(subject, faces, black, CPU)
    assert (hidden < clean).all()
    np.testing.assert_allclose(hidden, hidden[0])
    assert network.seen == 8
    scores_of(subject, faces, black, CPU)
    scores_of(subject, faces, replace(black, key={"what": "other"}), CPU)
    assert network.seen == 12


def test_changed_decisions_are_counted_by_group(drawn: FaceDataset) -> None:
    test = balanced_test(drawn, "Male", "Blond_Hair", 2, split="train")
    before = np.zeros(len(test))
    hair = test.labels("Blond_Hair").astype(float)
    asked = pd.DataFrame(
        {"variant": "x", "scheme": "s", "face": test.names, "target": test.labels("Male"), "before": before}
    )
    asked = asked.assign(**{REGION: hair, ELSEWHERE: before})
    table = hidden_by_group(asked, "Male", test, ["Blond_Hair"])
    rows = table.set_index(["where", "group"])
    assert rows.loc[(REGION, "with Blond_Hair"), "changed"] == 1
    assert rows.loc[(REGION, "without Blond_Hair"), "changed"] == 0
    assert rows.loc[(REGION, "all"), ["changed", "to_yes", "to_no"]].tolist() == [0.5, 0.5, 0]
    assert rows.loc[(DIFFERENCE, "men with Blond_Hair"), "changed"] == 1
    intervals = table[["low", "changed", "high"]].to_numpy(dtype=float)
    assert (np.diff(intervals, axis=1) >= -1e-9).all()
    assert (intervals[:, 2] > intervals[:, 0]).all()  # of so few faces none is of zero width


@pytest.fixture
def run(home: Path, drawn_folder: Path) -> str:
    config = parse_config({"data": str(drawn_folder), **TINY, "schemes": ["general_mask@0.7"]})
    put_bundled(config)
    return run_here("experiment", config.model_dump(mode="json"), name="tiny").name


def test_variants_of_a_run_are_audited(home: Path, drawn_folder: Path, run: str) -> None:
    content = {
        "data": str(drawn_folder),
        "target": "Male",
        "confounder": "Blond_Hair",
        "test_split": "all",
        "subjects": [f"{run}:original", f"{run}:general_mask@0.7#0"],
        "schemes": ["specific_mask@0.7", "general_mask@0.7"],
        "attention": {"explainers": ["lrp"], "explained_faces": 8},
        "device": "cpu",
    }
    path = run_here("audit", parse_audit(content).model_dump(mode="json"), name="audit")
    done = load_run(path)
    assert (done.status.state, done.status.error) == ("finished", None)
    check_run(path)
    predictions = read_predictions(path)
    assert predictions.groupby(["variant", "evaluation"]).size().to_dict().keys() == {
        (variant, evaluation) for variant in ("original", "general_mask@0.7") for evaluation in ("clean", "treated")
    }
    assert set(over_all_seeds(read_results(path))["variant"]) == {"original", "general_mask@0.7"}
    hidden = read_hidden(path)
    assert set(hidden["where"]) == {REGION, ELSEWHERE, DIFFERENCE}
    assert set(hidden["scheme"]) == {"general_mask@0.7"}
    faces = list_faces(str(drawn_folder))
    again = hidden_by_group(read_hidden_faces(path), "Male", faces, ["Blond_Hair"])
    pd.testing.assert_frame_equal(again, hidden)  # the same decisions, counted from face to face
    crossed = hidden_by_group(read_hidden_faces(path), "Male", faces, ["Young", "Smiling"])
    of_region = crossed[(crossed["where"] == REGION) & (crossed["variant"] == "original")].set_index("group")
    whole = of_region.loc["all"]
    parts = of_region[of_region.index.str.contains("^with")]
    assert parts["n"].sum() == whole["n"]
    assert np.average(parts["changed"], weights=parts["n"]) == pytest.approx(whole["changed"])
    (explained,) = list_attention(path)
    assert explained.about["variants"] == ["original", "general_mask@0.7"]
    subsets = read_content(path, RunFiles(path).subsets)
    assert [each["from"] for each in subsets["subjects"]] == content["subjects"]
    settings = {"run": path.name, "explainers": ["gradient"], "explained_faces": 8, "device": "cpu"}
    again = load_run(run_here("explain", settings))
    assert (again.status.state, again.status.error) == ("finished", None)
    assert [one.about["explainer"] for one in list_attention(path)] == ["lrp", "gradient"]
    report = write_report(done, home / "report", faces=False).html.read_text(encoding="utf-8")
    assert "What hiding changes" in report
    assert "Data audit of the faces read" in report
    assert f"three_conv, {run}:original" in report
    assert "<h3>By Smiling" not in report
    keep_groups(path, groups_by_variant(predictions, "Male", faces, ["Smiling", "Young"], "original"))
    filed = write_report(done, home / "groups", faces=False)
    assert "<h3>By Smiling x Young</h3>" in filed.html.read_text(encoding="utf-8")
    by_group = pd.read_csv(filed.html.parent / "tables" / "hidden_by_group.csv")
    assert by_group[by_group["group"] == "all"]["where"].tolist() == hidden["where"][:3].tolist() * 2
    assert by_group["group"].str.contains(" and with").any()


def test_unknown_subjects_are_named(home: Path, run: str) -> None:
    with pytest.raises(FairsalError, match="original"):
        find_subject(f"{run}:orignal")
    with pytest.raises(FairsalError, match="no run"):
        find_subject("20260101-000000-none-0000:original")
    names = [subject.name for subject in find_subjects([f"{run}:original", f"{run}:original#0"])]
    assert names == [f"original ({run}:original)", f"original ({run}:original#0)"]
