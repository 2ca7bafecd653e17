"""The formulas of the trained methods, each against a slow twin or by hand."""

import copy
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import Shift, insert
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation import LabelledFaces, concept_directions, tuning
from fairsal_core.mitigation.a_clarc import AClarcSettings, RandomShift, train_augmented
from fairsal_core.mitigation.base import Batch
from fairsal_core.mitigation.layers import outputs_of
from fairsal_core.mitigation.leace import erasure
from fairsal_core.mitigation.rr_clarc import RRClarcSettings, concept_penalty, train_right_reasons
from fairsal_core.mitigation.savani import Critic, SavaniSettings, batch_bias, critic_loss
from fairsal_core.mitigation.tuning import classification_loss
from fairsal_core.mitigation.zhang import Adversary, misleading_update, set_gradients
from fairsal_core.tensors import to_unit
from tests.mitigation.networks import FEATURES, LAST_STAGE, toy_faces, toy_network


class TestZhang:
    ALPHA = 0.7

    def numeric(self, network: nn.Module, loss: object, parameter: nn.Parameter) -> Tensor:
        """Return the gradient by central differences, weight by weight."""
        gradient = torch.zeros_like(parameter)
        flat, values = gradient.view(-1), parameter.data.view(-1)
        for index in range(len(values)):
            kept = float(values[index])
            ends = []
            for step in (1e-6, -1e-6):
                values[index] = kept + step
                ends.append(float(loss()))  # type: ignore[operator]
            values[index] = kept
            flat[index] = (ends[0] - ends[1]) / 2e-6
        return gradient

    def test_the_update_is_the_projection_by_hand_conv_weights_included(self) -> None:
        """A convolution, a tanh and a linear layer in float64; both gradients by finite differences."""
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2)).double()
        adversary = Adversary("equalized_odds", 4).double()
        images = torch.rand(6, 3, 4, 4, dtype=torch.float64)
        target, confounder = torch.tensor([1, 0, 1, 1, 0, 0]).bool(), torch.tensor([1, 1, 0, 1, 0, 0]).bool()

        def loss() -> Tensor:
            return classification_loss(network(images), target)

        def adversary_loss() -> Tensor:
            guesses = adversary(network(images), target)
            return nn.functional.binary_cross_entropy_with_logits(guesses, confounder.double())

        set_gradients(loss(), adversary_loss(), list(network.parameters()), self.ALPHA)
        for name, parameter in network.named_parameters():
            with torch.no_grad():
                g = self.numeric(network, loss, parameter).numpy().ravel().tolist()
                u = self.numeric(network, adversary_loss, parameter).numpy().ravel().tolist()
            along = sum(a * b for a, b in zip(g, u, strict=True)) / sum(b * b for b in u)
            by_hand = [a - along * b - self.ALPHA * b for a, b in zip(g, u, strict=True)]
            assert parameter.grad is not None
            np.testing.assert_allclose(parameter.grad.numpy().ravel(), by_hand, atol=1e-7, err_msg=name)

    def test_what_is_left_of_the_gradient_is_orthogonal_to_the_adversary(self) -> None:
        torch.manual_seed(1)
        g, u = torch.randn(4, 3, 5, 5, dtype=torch.float64), torch.randn(4, 3, 5, 5, dtype=torch.float64)
        assert float((misleading_update(g, u, 0.0) * u).sum()) == pytest.approx(0, abs=1e-10)
        assert float((misleading_update(g, u, 2.0) * u).sum()) == pytest.approx(-2 * float((u * u).sum()))

    def test_without_an_adversary_s_gradient_the_own_one_stays(self) -> None:
        gradient = torch.randn(3, 2)
        assert torch.equal(misleading_update(gradient, torch.zeros(3, 2), 5.0), gradient)

    def test_the_adversary_for_demographic_parity_does_not_see_the_label(self) -> None:
        torch.manual_seed(0)
        blind, seeing = Adversary("demographic_parity", 4), Adversary("equalized_odds", 4)
        logits, yes, no = torch.randn(5, 2), torch.ones(5, dtype=torch.bool), torch.zeros(5, dtype=torch.bool)
        assert torch.equal(blind(logits, yes), blind(logits, no))
        assert not torch.equal(seeing(logits, yes), seeing(logits, no))


class TestSavani:
    def test_the_critic_s_gradient_reaches_the_backbone(self) -> None:
        network = toy_network()
        torch.manual_seed(0)
        critic, settings = Critic(12, 8), SavaniSettings(allowed_bias=0.0, margin=0.0)
        images = to_unit(torch.from_numpy(toy_faces(16).images))
        with outputs_of(network, [FEATURES]) as outputs:
            network(images)
            predicted = critic(outputs[FEATURES].flatten(1))
        # A constant classification loss: all that is left is the critic's.
        critic_loss(torch.tensor(1.0), predicted, settings, 1.0).backward()
        for name in ("1.weight", "5.weight", "12.weight"):
            gradient = network.get_parameter(name).grad
            assert gradient is not None
            assert float(gradient.abs().max()) > 0, name

    def test_a_batch_s_bias_by_hand(self) -> None:
        probabilities = torch.tensor([0.9, 0.5, 0.3, 0.7, 0.2, 0.2])
        logits = torch.stack([torch.zeros(6), torch.logit(probabilities)], dim=1)
        target = torch.tensor([1, 1, 1, 0, 0, 0]).bool()
        confounder = torch.tensor([1, 1, 0, 1, 0, 0]).bool()
        # with the target: 0.7 - 0.3; without: 0.7 - 0.2
        assert float(batch_bias(logits, target, confounder)) == pytest.approx(0.45, abs=1e-6)
        assert float(batch_bias(logits, target, torch.zeros(6).bool())) == 0

    def test_the_loss_by_hand(self) -> None:
        settings = SavaniSettings(allowed_bias=0.05, margin=0.01)
        loss = torch.tensor(2.0)
        assert float(critic_loss(loss, torch.tensor(-0.5), settings, 10.0)) == pytest.approx(2 * (10 * 0.46 + 1))
        assert float(critic_loss(loss, torch.tensor(0.03), settings, 10.0)) == pytest.approx(2)

    def test_the_critic_takes_batches_of_any_size_in_any_order(self) -> None:
        torch.manual_seed(0)
        critic, features = Critic(5, 8), torch.randn(7, 5)
        torch.testing.assert_close(critic(features), critic(features.flip(0)), atol=1e-6, rtol=0)
        assert critic(features[:1]).shape == ()


class TestAugmentive:
    def test_while_training_every_image_has_the_concept_and_early_layers_stay(
        self, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cav = concept_directions(biased, [LAST_STAGE], fit, validation, "signal")[LAST_STAGE]
        seen: list[Tensor] = []
        forward = Shift.forward

        def watched(self: Shift, activations: Tensor) -> Tensor:
            result = forward(self, activations)
            seen.append(result.detach().mean(dim=(2, 3)) @ self.direction)
            return result

        monkeypatch.setattr(Shift, "forward", watched)
        # 1e-5 is about the formula; where the hardware gains from it, tuning computes in bf16.
        monkeypatch.setattr(tuning, "autocast", lambda *_: nullcontext())
        candidate = copy.deepcopy(biased)
        settings = AClarcSettings(epochs=1, learning_rate=1e-3)
        train_augmented(candidate, LAST_STAGE, cav, 1.0, fit, settings, seed=0)
        presence = torch.cat(seen)
        assert len(presence) == len(fit)
        np.testing.assert_allclose(presence.numpy(), cav.level_with, atol=1e-5)
        assert [type(module) for module in candidate.modules()] == [type(module) for module in biased.modules()]
        changed = {
            name for name, value in candidate.state_dict().items() if not torch.equal(value, biased.state_dict()[name])
        }
        assert changed == {"12.weight", "12.bias", "15.weight", "15.bias"}

    def test_half_the_images_are_given_it_and_the_others_pass(self) -> None:
        torch.manual_seed(0)
        activations, direction = torch.randn(400, 7, 2, 2), torch.eye(7)[0]
        result = RandomShift(direction, torch.tensor(3.0), 0.5)(activations)
        presence = result.mean(dim=(2, 3)) @ direction
        given = (presence - 3.0).abs() < 1e-5
        assert 160 < int(given.sum()) < 240
        assert torch.equal(result[~given], activations[~given])


class TestRightReason:
    def test_the_penalty_by_finite_differences(self) -> None:
        network = toy_network().double()
        direction = torch.nn.functional.normalize(torch.randn(7, dtype=torch.float64), dim=0)
        images = to_unit(torch.from_numpy(toy_faces(5).images)).double()
        with outputs_of(network, [LAST_STAGE]) as outputs:
            logits = network(images)
        penalty = concept_penalty(outputs[LAST_STAGE], logits, direction, distance=3.0)

        def prediction(amount: float) -> Tensor:
            moved = copy.deepcopy(network)
            presence = outputs[LAST_STAGE].detach()
            with torch.no_grad():
                return moved[10:](presence + amount * direction[:, None, None]).softmax(dim=1)[:, 1]  # type: ignore[index, no-any-return]

        slopes = 3.0 * (prediction(1e-6) - prediction(-1e-6)) / 2e-6
        assert float(penalty.detach()) == pytest.approx(float(slopes.square().mean()), rel=1e-5)

    def test_the_penalty_reaches_layers_before_the_cav(self) -> None:
        network = toy_network()
        images = to_unit(torch.from_numpy(toy_faces(16).images))
        with outputs_of(network, [LAST_STAGE]) as outputs:
            logits = network(images)
        concept_penalty(outputs[LAST_STAGE], logits, torch.eye(7)[0]).backward()
        for name in ("1.weight", "5.weight", "12.weight", "15.weight"):
            gradient = network.get_parameter(name).grad
            assert gradient is not None
            assert float(gradient.abs().max()) > 0, name

    def test_the_penalty_falls_while_layers_before_the_cav_stay(
        self, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
    ) -> None:
        candidate = copy.deepcopy(biased)
        settings = RRClarcSettings(epochs=6, learning_rate=2e-3)
        _, before, after = train_right_reasons(candidate, LAST_STAGE, fit, validation, settings, 10.0, seed=0)
        assert after < 0.7 * before
        assert torch.equal(candidate.get_parameter("5.weight"), biased.get_parameter("5.weight"))
        assert not torch.equal(candidate.get_parameter("12.weight"), biased.get_parameter("12.weight"))

    def test_without_the_penalty_it_does_not_fall(
        self, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
    ) -> None:
        settings = RRClarcSettings(epochs=6, learning_rate=2e-3)
        _, before, after = train_right_reasons(
            copy.deepcopy(biased), LAST_STAGE, fit, validation, settings, 0.0, seed=0
        )
        assert after > before

    def test_all_layers_can_be_trained(self, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces) -> None:
        candidate = copy.deepcopy(biased)
        settings = RRClarcSettings(epochs=1, learning_rate=2e-3, trained="all_layers")
        train_right_reasons(candidate, LAST_STAGE, fit, validation, settings, 10.0, seed=0)
        assert not torch.equal(candidate.get_parameter("1.weight"), biased.get_parameter("1.weight"))


def test_frozen_layers_stay_in_eval_mode_and_the_others_are_trained(biased: nn.Module, fit: LabelledFaces) -> None:
    candidate, settings = copy.deepcopy(biased), AClarcSettings(epochs=1)
    modes: set[tuple[bool, ...]] = set()

    def step(batch: Batch) -> Tensor:
        modes.add(tuple(module.training for module in candidate))  # type: ignore[union-attr]
        loss = classification_loss(candidate(batch.images), batch.target)
        loss.backward()
        return loss.detach()

    tuning.tune(candidate, fit, settings, step, seed=0, frozen=[str(number) for number in range(10)])
    assert modes == {(*[False] * 10, *[True] * 6)}
    assert not any(module.training for module in candidate.modules())
    assert all(parameter.requires_grad for parameter in candidate.parameters())
    with pytest.raises(FairsalError, match="Behind layer 15 there are no weights to train"):
        tuning.tune(candidate, fit, settings, step, seed=0, frozen=[str(number) for number in range(16)])


class TestLeace:
    @staticmethod
    def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng(seed)
        concept = generator.random(count) < 0.4
        mixing = np.random.default_rng(9).normal(size=(6, 6))
        return generator.normal(size=(count, 6)) @ mixing + concept[:, None] * np.arange(6), concept

    def test_afterwards_no_activation_goes_with_the_concept(self) -> None:
        activations, concept = self.samples(500, 0)
        projection, mean = erasure(activations, concept)
        erased = activations - (activations - mean) @ projection.T
        assert np.abs((concept - concept.mean()) @ erased).max() / len(concept) < 1e-10
        np.testing.assert_allclose(projection @ projection, projection, atol=1e-10)
        assert np.linalg.matrix_rank(projection) == 1

    def test_afterwards_a_linear_classifier_knows_the_base_rate_only(self) -> None:
        from sklearn.linear_model import LogisticRegression

        activations, concept = self.samples(800, 1)
        assert LogisticRegression().fit(activations, concept).score(activations, concept) > 0.75
        projection, mean = erasure(activations, concept)
        erased = activations - (activations - mean) @ projection.T
        probabilities = LogisticRegression(C=1e6, max_iter=2000).fit(erased, concept).predict_proba(erased)[:, 1]
        np.testing.assert_allclose(probabilities, concept.mean(), atol=1e-3)

    def test_it_changes_no_more_than_any_other_erasure(self) -> None:
        """Belrose et al. 2023, theorem 4.3: the smallest mean squared change; the orthogonal projection is another."""
        activations, concept = self.samples(500, 2)
        projection, mean = erasure(activations, concept)
        difference = activations[concept].mean(axis=0) - activations[~concept].mean(axis=0)
        unit = difference / np.linalg.norm(difference)
        ours, orthogonal = (
            np.square((activations - mean) @ matrix.T).sum(axis=1).mean()
            for matrix in (projection, np.outer(unit, unit))
        )
        assert ours < orthogonal

    def test_by_the_matrices_of_the_theorem(self) -> None:
        from scipy.linalg import fractional_matrix_power

        activations, concept = self.samples(500, 3)
        projection, _ = erasure(activations, concept)
        whitening = fractional_matrix_power(np.cov(activations.T, bias=True), -0.5)
        along = whitening @ np.array([np.cov(column, concept, bias=True)[0, 1] for column in activations.T])
        slow = np.linalg.inv(whitening) @ np.outer(along, along) / (along @ along) @ whitening
        np.testing.assert_allclose(projection, slow, atol=1e-8)

    def test_activations_that_never_vary_are_left_alone(self) -> None:
        activations, concept = self.samples(200, 4)
        padded = np.hstack([activations, np.full((200, 2), 5.0), activations[:, :1]])
        projection, mean = erasure(padded, concept)
        assert np.isfinite(projection).all()
        erased = padded - (padded - mean) @ projection.T
        assert np.abs((concept - concept.mean()) @ erased).max() / 200 < 1e-8


def test_a_shift_in_the_network_leaves_the_level_behind(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    cav = concept_directions(biased, [LAST_STAGE], fit, validation, "svm")[LAST_STAGE]
    direction, _, without = cav.tensors(torch.device("cpu"))
    assert float(direction.norm()) == pytest.approx(1, abs=1e-6)
    network = copy.deepcopy(biased)
    insert(network, LAST_STAGE, Shift(direction, without))
    with torch.no_grad(), outputs_of(network, [LAST_STAGE]) as outputs:
        network(to_unit(torch.from_numpy(validation.images)))
    presence = outputs[LAST_STAGE].mean(dim=(2, 3)) @ direction
    np.testing.assert_allclose(presence.numpy(), cav.level_without, atol=1e-5)
