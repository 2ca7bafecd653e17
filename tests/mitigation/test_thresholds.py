"""Thresholds: fairlearn's, drawn as often as they say, and chosen on the validation faces alone."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from fairsal_core.classifiers import decisions, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation import LabelledFaces, MitigationSettings, judge, mitigate
from fairsal_core.mitigation.global_threshold import GlobalThresholdSettings
from fairsal_core.mitigation.search import Search, judge_classifier, worth_of
from fairsal_core.mitigation.threshold import ThresholdSettings, fitted_optimiser, group_rules
from fairsal_core.mitigation.thresholds import cuts
from tests.mitigation.networks import toy_faces

CONSTRAINTS = ("equalized_odds", "equal_opportunity", "demographic_parity")
SCORES = np.random.default_rng(0).beta(2, 2, 500)
TARGET = np.random.default_rng(1).random(500) < SCORES
GROUPS = np.random.default_rng(2).random(500) < 0.3 + 0.4 * SCORES


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_decisions_have_fairlearns_probabilities(constraint: str) -> None:
    from fairsal_core.classifiers import Decision

    settings = ThresholdSettings(constraint=constraint)  # type: ignore[arg-type]
    optimiser = fitted_optimiser(SCORES, TARGET, GROUPS, settings)
    rules, known = group_rules(SCORES, TARGET, GROUPS, settings)
    decision = Decision(torch.from_numpy(rules), torch.from_numpy(known))
    grid = np.linspace(-0.1, 1.1, 241)
    for group in (0, 1):
        everyone = np.full(len(grid), group)
        theirs = optimiser._pmf_predict(grid[:, None], sensitive_features=everyone)[:, 1]
        np.testing.assert_allclose(decision.probabilities(grid, everyone), theirs, atol=1e-12)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_the_constraint_holds_where_it_was_chosen(constraint: str) -> None:
    from fairsal_core.classifiers import Decision

    settings = ThresholdSettings(constraint=constraint)  # type: ignore[arg-type]
    rules, known = group_rules(SCORES, TARGET, GROUPS, settings)
    positive = Decision(torch.from_numpy(rules), torch.from_numpy(known)).probabilities(SCORES, GROUPS)
    chosen = {
        "equalized_odds": (TARGET, ~TARGET),
        "equal_opportunity": (TARGET,),
        "demographic_parity": (TARGET | True,),
    }
    for who in chosen[constraint]:
        with_, without = positive[who & GROUPS].mean(), positive[who & ~GROUPS].mean()
        assert with_ == pytest.approx(without, abs=2e-3)


def test_expected_metrics_are_those_of_a_thousand_draws(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces, unseen: LabelledFaces
) -> None:
    """Our expectations against decisions that fairlearn itself draws."""
    result = mitigate(biased, "threshold", fit, validation)
    assert result.classifier is not None
    expected = judge_classifier(result.classifier, unseen)
    settings = ThresholdSettings()
    chosen_on = predict_scores(biased, validation.images).astype(np.float64)
    optimiser = fitted_optimiser(chosen_on, validation.target, validation.confounder, settings)
    scores = np.tile(predict_scores(biased, unseen.images).astype(np.float64), 1000)[:, None]
    groups = np.tile(unseen.confounder.astype(int), 1000)
    drawn_decisions = optimiser.predict(scores, sensitive_features=groups, random_state=0).reshape(1000, -1)
    accuracies = [judge(decided.astype(float), unseen).accuracy for decided in drawn_decisions]
    rates = drawn_decisions.mean(axis=0)
    assert 0 < rates[(rates > 0) & (rates < 1)].size < len(unseen)  # it does draw
    assert expected.accuracy == pytest.approx(np.mean(accuracies), abs=2e-3)
    drawn = judge(rates, unseen)
    assert expected.equalized_odds_difference == pytest.approx(drawn.equalized_odds_difference, abs=5e-3)
    assert expected.worst_cell == pytest.approx(drawn.worst_cell, abs=5e-3)


def test_only_the_validation_faces_matter(biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces) -> None:
    other = toy_faces(50, seed=77)
    first, second = (mitigate(biased, "threshold", faces, validation).classifier for faces in (fit, other))
    assert first is not None and second is not None
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


def test_scores_are_those_of_the_network_in_eval_mode(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    biased.train()
    try:
        careless = mitigate(biased, "threshold", fit, validation).classifier
        assert biased.training
    finally:
        biased.eval()
    careful = mitigate(biased, "threshold", fit, validation).classifier
    assert careless is not None and careful is not None
    assert all(torch.equal(value, careful.state_dict()[name]) for name, value in careless.state_dict().items())


def test_unseen_groups_are_refused(biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces) -> None:
    classifier = mitigate(biased, "threshold", fit, validation).classifier
    assert classifier is not None
    scores = predict_scores(classifier, validation.images)
    with pytest.raises(FairsalError, match="No threshold was chosen for the group 7"):
        decisions(classifier, scores, np.full(len(scores), 7))
    with pytest.raises(FairsalError, match="give the group"):
        decisions(classifier, scores)


def test_one_threshold_for_everybody_is_the_best_of_all(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    settings = GlobalThresholdSettings(tolerance=0.03)
    result = mitigate(biased, "global_threshold", fit, validation, settings)
    assert result.classifier is not None
    scores = predict_scores(biased, validation.images).astype(np.float64)
    floor = judge_classifier(biased, validation).accuracy - 0.03
    judged = [judge((scores > cut).astype(float), validation) for cut in cuts(scores)]
    allowed = [judgement for judgement in judged if judgement.accuracy >= floor]
    found = judge_classifier(result.classifier, validation)
    assert found.accuracy >= floor
    assert found.equalized_odds_difference == min(each.equalized_odds_difference for each in allowed)
    assert len(result.trace) == len(judged)
    assert decisions(result.classifier, scores).shape == scores.shape  # no groups needed


def test_cuts_tell_every_two_scores_apart() -> None:
    assert cuts(np.array([0.2, 0.4, 0.4, 0.9])).tolist() == pytest.approx([0.3, 0.5, 0.65])
    assert len(cuts(np.random.default_rng(0).random(5000))) <= 201


class TestSearch:
    def test_what_is_accurate_enough_is_sorted_by_equalized_odds(self) -> None:
        fair, sharp, poor = ((accuracy, 0.5, odds, 0.5) for accuracy, odds in ((0.8, 0.1), (0.9, 0.3), (0.5, 0.0)))
        from fairsal_core.mitigation import Judgement

        order = sorted(
            (Judgement(*each) for each in (poor, sharp, fair)), key=lambda each: worth_of(each, 0.75, "equalized_odds")
        )
        assert [each.accuracy for each in order] == [0.5, 0.9, 0.8]
        assert (
            max(
                (Judgement(*each) for each in (poor, sharp)), key=lambda each: worth_of(each, 0.95, "equalized_odds")
            ).accuracy
            == 0.9
        )

    def test_the_worst_group_or_the_worse_class_decides(self) -> None:
        from fairsal_core.mitigation import Judgement

        grouped, classed = Judgement(0.7, 0.6, 0.9, 0.5), Judgement(0.9, 0.4, 0.0, 0.8)
        assert max(grouped, classed, key=lambda each: worth_of(each, 0.0, "worst_group")) is grouped
        assert max(grouped, classed, key=lambda each: worth_of(each, 0.0, "worst_class")) is classed

    def test_a_classifier_in_training_is_judged_and_kept_as_it_is_then(
        self, biased: nn.Module, validation: LabelledFaces
    ) -> None:
        search = Search(biased, validation, MitigationSettings(choose_by="worst_group"))
        network = copy.deepcopy(biased).train()
        search.consider({"epoch": 1}, network)
        assert network.training
        with torch.no_grad():
            network.get_parameter("15.bias").add_(torch.tensor([0.0, 1.0]))
        search.consider({"epoch": 2}, network)
        found, _, trace = search.outcome()
        best = max(range(2), key=lambda number: trace[number].worst_cell)
        assert [trial.chosen for trial in trace] == [number == best for number in range(2)]
        assert not found.training
        assert judge_classifier(found, validation).worst_cell == trace[best].worst_cell

    def test_a_candidate_that_fails_is_in_the_trace(self, biased: nn.Module, validation: LabelledFaces) -> None:
        search = Search(biased, validation, MitigationSettings(tolerance=0.05))

        def fails(candidate: nn.Module) -> None:
            raise FairsalError("It diverged.")

        search.attempt({"alpha": 1}, fails)
        with pytest.raises(FairsalError, match="It diverged"):
            search.outcome()
        search.attempt({"alpha": 2}, lambda candidate: "kept")
        _, about, trace = search.outcome()
        assert about == "kept"
        assert [(trial.problem, trial.chosen) for trial in trace] == [("It diverged.", False), ("", True)]
