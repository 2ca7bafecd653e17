"""Every method on a toy classifier that relies on the confounder: what it promises, and what it leaves alone."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.classifiers import decisions, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation import METHODS, LabelledFaces, MitigationSettings, judge, mitigate
from fairsal_core.mitigation.fine_tune import FineTuneSettings
from fairsal_core.mitigation.global_threshold import GlobalThresholdSettings
from fairsal_core.mitigation.p_clarc import PClarcSettings
from fairsal_core.mitigation.search import judge_classifier
from fairsal_core.saliency import explain
from fairsal_core.tensors import to_unit
from tests.mitigation.networks import LAST_STAGE, toy_faces
from tests.mitigation.test_layers import hooks


def quick(method: str, epochs: int = 2) -> MitigationSettings:
    """Return settings that end in a second."""
    model = METHODS[method].settings
    fast = {"epochs": epochs, "learning_rate": 5e-3, "critic_steps": 20, "alphas": (0.1, 0.3), "lambdas": (1.0, 10.0)}
    fast |= {"evaluations": 6, "trials": 10}  # of what changes weights and looks
    return model(**{name: value for name, value in fast.items() if name in model.model_fields})


# One threshold cannot tell groups apart: it moves both. What is best of a few random changes here need not be elsewhere.
UNSURE = ("global_threshold", "class_scaling", "random_perturbation", "layerwise")


@pytest.mark.parametrize("method", METHODS)
def test_the_original_is_left_bit_for_bit_and_the_result_repeats(
    method: str, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    weights = {name: value.clone() for name, value in biased.state_dict().items()}
    scores = predict_scores(biased, validation.images)
    modules, flags = list(biased.modules()), [parameter.requires_grad for parameter in biased.parameters()]
    generators = torch.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    first, second = (mitigate(biased, method, fit, validation, quick(method), seed=3) for _ in range(2))
    assert all(torch.equal(value, weights[name]) for name, value in biased.state_dict().items())
    assert np.array_equal(predict_scores(biased, validation.images), scores)
    assert hooks(biased) == 0
    assert list(biased.modules()) == modules
    assert [parameter.requires_grad for parameter in biased.parameters()] == flags
    assert not any(parameter.grad is not None for parameter in biased.parameters())
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert (random.getstate(), str(np.random.get_state())) == generators[1:]  # noqa: NPY002

    assert first.outcome == "ok", first.reason
    assert first.trace == second.trace
    assert first.classifier is not None and second.classifier is not None
    assert hooks(first.classifier) == 0
    assert not first.classifier.training
    assert np.array_equal(
        predict_scores(first.classifier, validation.images), predict_scores(second.classifier, validation.images)
    )


@pytest.mark.parametrize("method", METHODS)
def test_the_confounder_decides_less_on_faces_nobody_has_seen(
    method: str, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces, unseen: LabelledFaces
) -> None:
    before = judge_classifier(biased, unseen)
    assert before.equalized_odds_difference > 0.2
    result = mitigate(biased, method, fit, validation, quick(method, epochs=10))
    assert result.classifier is not None, result.reason
    if method in UNSURE:
        return
    after = judge_classifier(result.classifier, unseen)
    assert after.equalized_odds_difference < before.equalized_odds_difference - 0.03
    assert after.accuracy > before.accuracy - 0.1
    chosen = [trial for trial in result.trace if trial.chosen]
    assert len(chosen) == 1
    assert chosen[0].accuracy == judge_classifier(result.classifier, validation).accuracy


@pytest.mark.parametrize("method", METHODS)
def test_batches_change_no_score(
    method: str, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = mitigate(biased, method, fit, validation, quick(method)).classifier
    assert classifier is not None
    scores = predict_scores(classifier, validation.images[:40])
    for size in (1, 7, 32):
        monkeypatch.setattr("fairsal_core.classifiers.training._EVALUATION_BATCH", size)
        np.testing.assert_allclose(predict_scores(classifier, validation.images[:40]), scores, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_saliency_says_what_the_registry_says(
    method: str, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    classifier = mitigate(biased, method, fit, validation, quick(method)).classifier
    assert classifier is not None
    before, after = (explain(network, validation.images[:4]).relevance for network in (biased, classifier))
    assert np.isfinite(after).all()
    assert np.array_equal(before, after) == METHODS[method].same_saliency


@pytest.mark.parametrize("method", METHODS)
def test_on_three_conv_it_saves_loads_and_explains_like_any_other(method: str, tmp_path: Path) -> None:
    from fairsal_core.classifiers import build_classifier, load_classifier, save_classifier

    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    classifier = build_classifier("three_conv").eval()
    confounder = np.arange(16) % 4 < 2
    images = generator.integers(0, 200, (16, 128, 128, 3)).astype(np.uint8)
    images[confounder, :, 64:, 0] += 50
    with torch.no_grad():  # it is right about all of them, and says yes to half
        logits = classifier(to_unit(torch.from_numpy(images)))
        margin = logits[:, 1] - logits[:, 0]
        classifier.get_parameter("23.bias")[1] -= margin.median()
    target = (margin > margin.median()).numpy()
    faces = LabelledFaces(images, target, confounder)
    model = METHODS[method].settings
    fast: dict[str, object] = {
        "epochs": 1,
        "learning_rate": 1e-7,
        "critic_steps": 3,
        "batch_size": 8,
        "alphas": (1.0,),
        "lambdas": (1.0,),
        "layers": ("15",),
        "tolerance": 1,
        "shares": (1.0,),
    }
    settings = model(**{name: value for name, value in fast.items() if name in model.model_fields})
    result = METHODS.find(method).apply(classifier, faces, faces, settings, seed=0).classifier
    save_classifier(result, tmp_path / "variant.safetensors")
    loaded = load_classifier("three_conv", tmp_path / "variant.safetensors")
    scores = predict_scores(result, images)
    assert np.array_equal(predict_scores(loaded, images), scores)
    assert np.array_equal(decisions(loaded, scores, confounder), decisions(result, scores, confounder))
    assert np.isfinite(explain(loaded, images[:2]).relevance).all()


def test_a_method_that_diverges_says_so(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "fairsal_core.mitigation.fine_tune.classification_loss"
    monkeypatch.setattr(module, lambda logits, target: logits.sum() * float("nan"))
    result = mitigate(biased, "fine_tune", fit, validation)
    assert (result.outcome, result.classifier) == ("failed", None)
    assert "no longer a number in epoch 1" in result.reason


def test_a_method_that_learns_one_answer_says_so(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    always = LabelledFaces(fit.images, np.ones(len(fit), dtype=bool), fit.confounder)
    result = mitigate(biased, "fine_tune", always, validation, FineTuneSettings(learning_rate=2e-2, epochs=8))
    assert (result.outcome, result.classifier) == ("failed", None)
    assert result.reason == "It decides the same for all 240 validation faces, whatever they show."


def test_a_method_that_changes_nothing_says_so(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    result = mitigate(biased, "fine_tune", fit, validation, FineTuneSettings(learning_rate=1e-12, epochs=1))
    assert (result.outcome, result.classifier) == ("no effect", None)
    assert result.reason.startswith("No decision on the 240 validation faces changed")


def test_faces_of_one_group_are_refused(biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces) -> None:
    nobody = np.zeros(len(fit), dtype=bool)
    blind = LabelledFaces(fit.images, fit.target, nobody)
    alone = LabelledFaces(validation.images, validation.target, nobody[: len(validation)])
    for method, entry in METHODS.items():
        if "confounder labels" in entry.needs:
            result = mitigate(biased, method, blind, alone, quick(method))
            assert result.outcome == "failed", method
            assert result.reason.endswith(".")


def test_wrong_calls_are_one_sentence(biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces) -> None:
    with pytest.raises(FairsalError, match="did you mean 'zhang'"):
        mitigate(biased, "zhong", fit, validation)
    with pytest.raises(FairsalError, match="zhang takes ZhangSettings, not FineTuneSettings"):
        mitigate(biased, "zhang", fit, validation, FineTuneSettings())
    with pytest.raises(FairsalError, match="needs faces to fit"):
        mitigate(biased, "zhang", toy_faces(0), validation)
    with pytest.raises(FairsalError, match="differ in number"):
        LabelledFaces(fit.images, fit.target, fit.confounder[:3])
    result = mitigate(biased, "p_clarc", fit, validation, PClarcSettings(layers=("layer4",)))
    assert result.outcome == "failed"
    assert "There is no layer 'layer4'" in result.reason


def test_a_corrected_classifier_can_be_corrected_again(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    once = mitigate(biased, "p_clarc", fit, validation, PClarcSettings(layers=(LAST_STAGE,))).classifier
    assert once is not None
    twice = mitigate(once, "global_threshold", fit, validation, GlobalThresholdSettings(tolerance=1))
    assert twice.outcome in ("ok", "no effect")
    again = mitigate(twice.classifier or once, "leace", fit, validation)
    assert again.outcome in ("ok", "no effect")


class TestJudge:
    def test_by_hand(self) -> None:
        faces = LabelledFaces(
            np.zeros((8, 1, 1, 3), np.uint8),
            np.array([True, True, True, True, False, False, False, False]),
            np.array([True, True, False, False, True, True, False, False]),
        )
        positive = np.array([1, 1, 1, 0, 0.5, 0, 0, 0])
        # cells: 1, 0.5, 0.75, 1 right; P(yes): 1 against 0.5 with the target, 0.25 against 0 without
        # of the faces with the target 3 of 4 are right, of the others 3.5
        assert judge(positive, faces) == (pytest.approx(3.25 / 4), 0.5, 0.5, 0.75)

    def test_equalized_odds_is_fairlearns(self) -> None:
        from fairlearn.metrics import equalized_odds_difference

        faces = toy_faces(200, seed=5)
        decided = np.random.default_rng(0).random(200) < 0.6
        expected = equalized_odds_difference(faces.target, decided, sensitive_features=faces.confounder)
        assert judge(decided.astype(float), faces).equalized_odds_difference == pytest.approx(expected, abs=1e-12)
