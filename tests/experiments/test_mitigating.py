"""Mitigation as a stage: which faces it sees, what becomes a variant, and that nothing finished is touched."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import Subject, build_classifier, decisions, load_classifier, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import mitigation_of, unmet_needs
from fairsal_core.experiments.mitigating import MitigationFaces, mitigated
from fairsal_core.experiments.planning import find_validation, mitigation_split, plan_variants
from fairsal_core.faces import FaceDataset, biased_subset
from fairsal_core.files import read_json
from fairsal_core.mitigation import METHODS as REGISTERED
from fairsal_core.mitigation import features
from fairsal_core.progress import silent
from fairsal_core.results.accuracy import judged, read_predictions, read_results
from fairsal_core.results.mitigation import MethodOutcome, read_outcomes, shown_variants
from fairsal_core.runs import load_run, run_here
from fairsal_core.settings import parse_config
from fairsal_core.settings.mitigation import MethodChoice
from tests.helpers import faces_in_memory, register

SETTINGS: dict[str, Any] = {
    "counts": "8,12,12,8",
    "schemes": [],
    "balanced": False,
    "training": {"epochs": 8, "batch_size": 10, "learning_rate": 1e-3},
    "seeds": [0, 3],
    "test_per_cell": 2,
    "attention": {"explainers": ["lrp"], "explained_faces": 4},
    "device": "cpu",
}
THRESHOLDS = "threshold:constraint=demographic_parity"
METHODS = (
    THRESHOLDS,
    "fine_tune:learning_rate=0.002",
    "fine_tune:learning_rate=1e-12",
    "p_clarc:layers=nowhere",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, drawn_folder: Path) -> Iterator[tuple[Path, Path, dict[str, bytes]]]:
    """A finished run, the run that mitigates it, and what the first held before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSAL_HOME", str(tmp_path_factory.mktemp("mitigate")))
        config = parse_config({**SETTINGS, "data": str(drawn_folder)})
        parent = run_here("experiment", config.model_dump(mode="json"), name="parent")
        assert load_run(parent).status.state == "finished", load_run(parent).status.error
        before = {str(path): path.read_bytes() for path in parent.rglob("*") if path.is_file()}
        mitigated = mitigation_of(load_run(parent), METHODS, faces=60)
        child = run_here("experiment", mitigated.model_dump(mode="json"), name="child")
        assert load_run(child).status.state == "finished", load_run(child).status.error
        yield parent, child, before


def test_the_finished_run_stays_byte_for_byte(runs: tuple[Path, Path, dict[str, bytes]]) -> None:
    parent, _, before = runs
    assert {str(path): path.read_bytes() for path in parent.rglob("*") if path.is_file()} == before


def test_its_rows_are_there_and_new_ones_beside_them(runs: tuple[Path, Path, dict[str, bytes]]) -> None:
    parent, child, _ = runs
    old, new = read_predictions(parent), read_predictions(child)
    same = new[new["variant"] == "original"][old.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, old)
    shown = read_json(child / "mitigation.json")["shown"]
    assert shown
    assert list(dict.fromkeys(new["variant"])) == ["original", *shown]
    assert set(read_results(child)["variant"]) == {"original", *shown}


def test_every_method_says_how_it_ended_for_every_seed(runs: tuple[Path, Path, dict[str, bytes]]) -> None:
    outcomes = read_outcomes(runs[1])
    assert [(each.variant, each.seed) for each in outcomes] == [
        (MethodChoice.model_validate(method).name, seed) for seed in (0, 3) for method in METHODS
    ]
    by_variant = {each.variant: each for each in outcomes}
    assert by_variant["fine_tune:learning_rate=1e-12"].outcome == "no effect"
    assert by_variant["p_clarc:layers=nowhere"].outcome == "failed"
    assert "There is no layer 'nowhere'" in by_variant["p_clarc:layers=nowhere"].reason
    assert all(each.reason for each in outcomes if each.outcome != "ok")
    assert all(sum(trial["chosen"] for trial in each.trace) == 1 for each in outcomes if each.outcome == "ok")


def test_what_had_no_effect_or_failed_is_no_variant(runs: tuple[Path, Path, dict[str, bytes]]) -> None:
    variants = set(read_predictions(runs[1])["variant"])
    assert not variants & {"fine_tune:learning_rate=1e-12", "p_clarc:layers=nowhere"}


def test_thresholds_decide_by_group_and_are_not_explained_again(runs: tuple[Path, Path, dict[str, bytes]]) -> None:
    child = runs[1]
    assert THRESHOLDS in read_json(child / "mitigation.json")["shown"]
    table = read_predictions(child)
    drawn = table[table["variant"] == THRESHOLDS]
    assert table.loc[table["variant"] == "original", "decision"].isna().all()
    classifier = load_classifier("three_conv", child / "thresholds" / f"{THRESHOLDS}-seed0.safetensors")
    part = drawn[drawn["seed"] == 0]
    expected = decisions(classifier, part["score"].to_numpy(), part["confounder"].to_numpy())
    assert np.array_equal(part["decision"].to_numpy(), expected)
    assert not (child / "weights" / f"{THRESHOLDS}-seed0.safetensors").exists()
    about = read_json(next((child / "attention").glob("*/about.json")))
    assert "original" in about["variants"]
    assert THRESHOLDS not in about["variants"]


def test_a_stored_classifier_gives_the_stored_scores(
    runs: tuple[Path, Path, dict[str, bytes]], drawn: FaceDataset
) -> None:
    name = "fine_tune:learning_rate=0.002"
    table = read_predictions(runs[1])
    part = table[(table["variant"] == name) & (table["seed"] == 3)].set_index("face")
    if part.empty:
        pytest.skip("the method had no effect here")
    classifier = load_classifier("three_conv", runs[1] / "weights" / f"{name}-seed3.safetensors")
    images = drawn.take(drawn.names.get_indexer(part.index)).images
    assert np.allclose(predict_scores(classifier, images), part["score"].to_numpy(), atol=1e-6)


def test_splits_share_no_face(drawn: FaceDataset) -> None:
    config = parse_config({**SETTINGS, "mitigation": ["zhang"], "mitigation_faces": 80})
    test = set(drawn.in_split("test").names)
    validation = find_validation(config, drawn)
    assert validation is not None
    for seed in (0, 1, 2):
        fit = mitigation_split(config, drawn, seed)
        trained = biased_subset(drawn, config.target, config.confounder, config.counts, seed=seed)
        groups = [set(fit.names), set(trained.names), set(validation.names), test]
        assert sum(map(len, groups)) == len(set.union(*groups))
        assert list(fit.names) == list(mitigation_split(config, drawn, seed).names)
        assert 0 < len(fit) <= 80


def test_too_few_faces_are_said_before_anything_is_trained() -> None:
    cells = {"Male": [True, True, False, False] * 4, "Blond_Hair": [True, False] * 8}
    faces = faces_in_memory(cells, split=["train"] * 8 + ["val"] * 4 + ["test"] * 4)
    settings = {**SETTINGS, "attention": {"explainers": ["none"]}, "mitigation": ["zhang"]}
    with pytest.raises(FairsalError, match="uses every face of the train split"):
        plan_variants(parse_config({**settings, "counts": "2,2,2,2"}), faces)
    nobody = faces_in_memory(cells, split=["train"] * 12 + ["test"] * 4)
    with pytest.raises(FairsalError, match="other held-out split"):
        plan_variants(parse_config({**settings, "counts": "1,1,1,1"}), nobody)


def outcome(variant: str, seed: int, ending: str) -> MethodOutcome:
    return MethodOutcome(variant, variant, seed, ending, "", None, [], {}, 0.0)


def test_a_method_is_a_variant_if_no_seed_failed_and_one_is_ok() -> None:
    outcomes = [
        *(outcome("good", seed, "ok") for seed in (0, 1)),
        *(outcome("mixed", seed, ending) for seed, ending in enumerate(("ok", "no effect"))),
        *(outcome("broken", seed, ending) for seed, ending in enumerate(("ok", "failed"))),
        *(outcome("idle", seed, "no effect") for seed in (0, 1)),
    ]
    assert shown_variants(outcomes) == ["good", "mixed"]


class TestChoice:
    def test_settings_are_read_from_text(self) -> None:
        choice = MethodChoice.model_validate("a_clarc:layers=5+10,epochs=2")
        assert choice.settings.model_dump()["layers"] == ("5", "10")
        assert choice.name == "a_clarc:layers=5+10,epochs=2" or choice.name == "a_clarc:epochs=2,layers=5+10"
        assert MethodChoice.model_validate(choice.name) == choice
        assert MethodChoice.model_validate(choice.model_dump(mode="json")) == choice
        assert MethodChoice.model_validate("zhang:alphas=0.1+2").settings.model_dump()["alphas"] == (0.1, 2.0)

    def test_what_does_not_exist_is_one_sentence(self) -> None:
        with pytest.raises(FairsalError, match="did you mean 'zhang'"):
            MethodChoice.model_validate("zang")
        with pytest.raises(FairsalError, match="zhang does not take beta"):
            MethodChoice.model_validate("zhang:beta=1")

    def test_a_config_with_methods_survives_json(self) -> None:
        config = parse_config({"mitigation": ["zhang:epochs=1", "threshold"]})
        again = parse_config(config.model_dump(mode="json"))
        assert again == config
        assert again.key == config.key
        assert config.original_of("threshold") == "original"


def test_only_a_finished_experiment_is_mitigated(runs: tuple[Path, Path, dict[str, bytes]]) -> None:
    child = load_run(runs[1])
    more = mitigation_of(child, ["leace", THRESHOLDS])
    assert [choice.method for choice in more.mitigation] == ["threshold", "fine_tune", "fine_tune", "p_clarc", "leace"]
    assert more.mitigation_faces == 60


def test_a_file_that_is_no_outcome_is_one_sentence(tmp_path: Path) -> None:
    assert read_outcomes(tmp_path) == []
    (tmp_path / "mitigation.json").write_text("[]")
    with pytest.raises(FairsalError, match="cannot be read"):
        read_outcomes(tmp_path)


def predictions(decision: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "face": list("abcdefgh"),
            "seed": 0,
            "target": [True] * 4 + [False] * 4,
            "confounder": [True, True, False, False] * 2,
            "score": [0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9],
            "decision": decision,
        }
    )


def test_drawn_decisions_count_as_expectations() -> None:
    correct, cells, _ = judged(predictions([1, 0.5, 0.25, 0, 0.5, 0, 0, 1]))
    assert correct.tolist() == [[1, 0.5, 0.25, 0, 0.5, 1, 1, 0]]
    assert cells.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_without_decisions_scores_decide() -> None:
    correct, _, _ = judged(predictions([np.nan] * 8))
    assert correct.dtype == bool
    assert correct.tolist() == [[True, False, True, True, True, True, True, False]]


def test_a_method_that_does_not_fit_is_refused_before_anything_begins(
    runs: tuple[Path, Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = load_run(runs[0])
    assert unmet_needs(parent) == {}
    register(monkeypatch, REGISTERED, replace(REGISTERED["fine_tune"], name="oracle", needs=("a second opinion",)))
    assert unmet_needs(parent) == {"oracle": ["a second opinion"]}
    with pytest.raises(FairsalError, match="oracle needs a second opinion"):
        mitigation_of(parent, ["fine_tune", "oracle"])


def test_a_method_that_learns_the_last_layer_finds_the_features_of_an_earlier_day(
    home: Path, drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    network = build_classifier("three_conv").eval()
    subject = Subject("bought", 0, "three_conv", "bought", lambda: network, lambda seed: network)
    faces = MitigationFaces(drawn.take(range(120)), drawn.take(range(120, 200)), "Male", "Blond_Hair")
    choice = MethodChoice.model_validate("dfr:draws=1,strengths=1.0")
    seen = 0
    forward = nn.Conv2d.forward

    def counted(self: nn.Conv2d, images: Tensor) -> Tensor:
        nonlocal seen
        seen += len(images) if self.in_channels == 3 else 0
        return forward(self, images)

    monkeypatch.setattr(nn.Conv2d, "forward", counted)
    before = []
    for _ in range(2):
        monkeypatch.setattr(features, "_kept", (b"", {}))  # as in another process
        seen = 0
        done = mitigated(subject, choice, faces, torch.device("cpu"), silent)
        assert done.outcome == "ok", done.reason
        before.append(seen)
    # Both sets, and a face of each to find the layer; what is left compares the two networks.
    assert before[0] - before[1] == len(faces.fit) + len(faces.validation) + 2
