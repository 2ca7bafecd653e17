"""The group-robust methods: their published updates, retyped as slow twins; what they draw; what they refuse."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.metrics import cell_numbers
from fairsal_core.mitigation import METHODS, LabelledFaces, MitigationSettings, judge, mitigate
from fairsal_core.mitigation.base import Batch, ChooseBy
from fairsal_core.mitigation.class_scaling import scale_of
from fairsal_core.mitigation.dfr import DfrSettings, reweighted
from fairsal_core.mitigation.features import features_of, last_layer_of, with_last_layer
from fairsal_core.mitigation.group_dro import GroupWeights, face_losses, group_tensor
from fairsal_core.mitigation.intra_processing import kept_weights, quality, scale_units
from fairsal_core.mitigation.jtt import JttSettings, early_errors, from_random_weights, upweighted
from fairsal_core.mitigation.layers import outputs_of
from fairsal_core.mitigation.layerwise import maximise
from fairsal_core.mitigation.masktune import class_activation_maps, grad_cam, without_salient
from fairsal_core.mitigation.random_perturbation import perturb
from fairsal_core.mitigation.robust import balanced_rows, drawn_by, drawn_equally, subsampled
from fairsal_core.mitigation.search import Judgement, judge_classifier, worth_of
from fairsal_core.mitigation.tuning import classification_loss
from fairsal_core.tensors import to_unit
from tests.mitigation.networks import LAST_STAGE, OUTPUT, toy_faces, toy_network

ROBUST = ("rwy", "rwg", "suby", "subg", "group_dro", "jtt")
BY_GROUP = ("rwg", "subg", "group_dro", "dfr")
BY_CLASS = ("rwy", "suby")


def part(faces: LabelledFaces, rows: Any) -> LabelledFaces:
    return LabelledFaces(faces.images[rows], faces.target[rows], faces.confounder[rows])


def settings_of(method: str, **chosen: Any) -> MitigationSettings:
    model = METHODS[method].settings
    return model(**{name: value for name, value in chosen.items() if name in model.model_fields})


class TestGroupDro:
    SIZES = np.array([4, 100, 25, 900])

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(0)
        whole = [torch.randint(0, 4, (12,), generator=generator) for _ in range(5)]
        return [(torch.rand(12, generator=generator, dtype=torch.float64), groups) for groups in [*whole, whole[0] % 2]]

    @pytest.mark.parametrize("adjustment", [0.0, 3.0])
    def test_algorithm_1_step_by_step(self, adjustment: float) -> None:
        """q_g <- q_g exp(eta (l_g + C / sqrt(n_g))), normalised; then sum q_g (l_g + C / sqrt(n_g)) (Sagawa et al. 2020)."""
        ours, q = GroupWeights(self.SIZES, adjustment, 0.5), [0.25] * 4
        for losses, groups in self.batches():
            adjusted = {}
            for group in range(4):
                members = [float(loss) for loss, its in zip(losses, groups, strict=True) if its == group]
                if members:
                    adjusted[group] = sum(members) / len(members) + adjustment / math.sqrt(self.SIZES[group])
                    q[group] *= math.exp(0.5 * adjusted[group])
            q = [weight / sum(q) for weight in q]
            expected = sum(q[group] * loss for group, loss in adjusted.items())
            assert float(ours.loss(losses, groups)) == pytest.approx(expected, rel=1e-5)
            np.testing.assert_allclose(ours.weights.numpy(), q, rtol=1e-5)

    def test_the_gradient_holds_the_weights_still_by_finite_differences(self) -> None:
        torch.manual_seed(0)
        layer, features = nn.Linear(3, 2).double(), torch.randn(12, 3, dtype=torch.float64)
        batch = Batch(features, torch.arange(12) % 2 < 1, torch.arange(12) % 4 < 2)
        ours = GroupWeights(self.SIZES, 2.0, 0.5)
        loss = ours.loss(face_losses(layer(features), batch.target), group_tensor(batch))
        loss.backward()
        q = ours.weights.double()

        def robust(amount: float, row: int, column: int) -> float:
            moved = copy.deepcopy(layer)
            with torch.no_grad():
                moved.weight[row, column] += amount
                losses, groups = face_losses(moved(features), batch.target), group_tensor(batch)
            return sum(float(q[group] * losses[groups == group].mean()) for group in range(4))

        assert layer.weight.grad is not None
        for row in range(2):
            for column in range(3):
                slope = (robust(1e-6, row, column) - robust(-1e-6, row, column)) / 2e-6
                assert float(layer.weight.grad[row, column]) == pytest.approx(slope, rel=1e-4, abs=1e-8)

    def test_the_worst_group_gains_weight_and_the_small_one_too(self) -> None:
        plain, adjusted = GroupWeights(self.SIZES, 0.0, 0.1), GroupWeights(self.SIZES, 5.0, 0.1)
        groups = torch.arange(4)
        for _ in range(20):
            plain.loss(torch.tensor([0.1, 2.0, 0.1, 0.1]), groups)
            adjusted.loss(torch.full((4,), 0.1), groups)
        assert int(plain.weights.argmax()) == 1
        assert int(adjusted.weights.argmax()) == 0

    def test_losses_and_groups_are_those_of_everything_else(self, fit: LabelledFaces) -> None:
        batch = fit.batch(np.arange(40), torch.device("cpu"))
        logits = toy_network()(batch.images).detach()
        mean = face_losses(logits, batch.target).mean().detach()
        assert float(mean) == pytest.approx(float(classification_loss(logits, batch.target)), rel=1e-6)
        assert np.array_equal(group_tensor(batch).numpy(), cell_numbers(fit.target[:40], fit.confounder[:40]))


class TestDraws:
    NUMBERS = np.repeat([0, 1, 2, 3], [5, 60, 35, 300])

    def test_each_group_is_drawn_equally_often(self) -> None:
        order = drawn_equally(self.NUMBERS)
        generator = torch.Generator().manual_seed(0)
        rows = torch.cat([order(generator) for _ in range(50)])
        assert len(rows) == 50 * len(self.NUMBERS)
        shares = np.bincount(self.NUMBERS[rows.numpy()]) / len(rows)
        np.testing.assert_allclose(shares, 0.25, atol=0.015)  # its standard deviation is 0.003
        assert len(set(rows.tolist())) > 0.99 * len(self.NUMBERS)

    def test_subsampled_groups_are_as_large_as_the_smallest_and_stay(self) -> None:
        order = subsampled(self.NUMBERS, seed=3)
        first, second = (order(torch.Generator().manual_seed(seed)) for seed in (0, 1))
        assert np.bincount(self.NUMBERS[first.numpy()]).tolist() == [5] * 4
        assert len(set(first.tolist())) == len(first)
        assert sorted(first.tolist()) == sorted(second.tolist())
        assert first.tolist() != second.tolist()
        assert sorted(subsampled(self.NUMBERS, seed=4)(torch.Generator()).tolist()) != sorted(first.tolist())

    def test_what_the_early_network_errs_on_comes_lambda_times_as_often(self) -> None:
        wrong = np.arange(100) < 20
        assert upweighted(wrong, 20.0).tolist() == [20.0] * 20 + [1.0] * 80
        rows = torch.cat([drawn_by(upweighted(wrong, 20.0))(torch.Generator().manual_seed(seed)) for seed in range(40)])
        expected = 20 * 20 / (20 * 20 + 80)
        assert wrong[rows.numpy()].mean() == pytest.approx(expected, abs=0.03)


class TestJtt:
    def test_the_errors_are_those_of_a_network_trained_from_random_weights(
        self, biased: nn.Module, fit: LabelledFaces
    ) -> None:
        settings = JttSettings(identification_epochs=(1, 12), identification_learning_rate=3e-3)
        errors = early_errors(biased, fit, settings, seed=0)
        assert set(errors) == {1, 12}
        assert errors[12].mean() < errors[1].mean()
        own = (predict_scores(biased, fit.images) > 0.5) != fit.target
        assert not np.array_equal(errors[1], own)

    def test_random_weights_are_the_layers_own(self, biased: nn.Module) -> None:
        first, second, other = (from_random_weights(biased, seed) for seed in (0, 0, 1))
        assert torch.equal(first.get_parameter("1.weight"), second.get_parameter("1.weight"))
        assert not torch.equal(first.get_parameter("1.weight"), other.get_parameter("1.weight"))
        assert not torch.equal(first.get_parameter("1.weight"), biased.get_parameter("1.weight"))

    def test_weights_that_nobody_can_draw_are_one_sentence(self) -> None:
        class Odd(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.token = nn.Parameter(torch.zeros(3))

        with pytest.raises(FairsalError, match="layer '0' cannot be given any"):
            from_random_weights(nn.Sequential(Odd()), 0)

    def test_no_error_is_one_sentence(self, fit: LabelledFaces) -> None:
        easy = LabelledFaces(
            np.where(fit.target[:, None, None, None], 255, 0) + 0 * fit.images, fit.target, fit.confounder
        )
        easy = LabelledFaces(easy.images.astype(np.uint8), fit.target, fit.confounder)
        settings = JttSettings(identification_epochs=(30,), identification_learning_rate=3e-2)
        with pytest.raises(FairsalError, match="found no error among the 240 faces after 30 epochs"):
            early_errors(toy_network(), easy, settings, seed=0)


class TestDfr:
    def test_it_is_the_mean_of_logistic_regressions_on_balanced_standardised_features(
        self, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
    ) -> None:
        from sklearn.linear_model import LogisticRegression

        result = mitigate(biased, "dfr", fit, validation, DfrSettings(strengths=(0.3,), draws=10), seed=5)
        assert result.classifier is not None, result.reason
        own, others = (features_of(biased, faces.images).double().numpy() for faces in (fit, validation))
        moving = own.std(axis=0) > 0
        scaled, unseen = ((each - own.mean(axis=0))[:, moving] / own.std(axis=0)[moving] for each in (own, others))
        generator = np.random.default_rng(5)
        margins = []
        for _ in range(10):
            rows = balanced_rows(cell_numbers(fit.target, fit.confounder), generator)
            model = LogisticRegression(l1_ratio=1.0, C=0.3, solver="liblinear", max_iter=1000, random_state=5)
            margins.append(model.fit(scaled[rows], fit.target[rows]).decision_function(unseen))
        expected = 1 / (1 + np.exp(-np.mean(margins, axis=0)))
        np.testing.assert_allclose(predict_scores(result.classifier, validation.images), expected, atol=1e-5)

    def test_it_minimises_what_the_paper_says(self, biased: nn.Module, fit: LabelledFaces) -> None:
        """At the minimum of |w|_1 + C sum log(1 + exp(-y z)) the slope of the sum is -sign(w) / C, or smaller where w is 0."""
        view, strength = last_layer_of(biased, fit, fit), 0.1
        groups = cell_numbers(fit.target, fit.confounder)
        weights, intercept = reweighted(view.fit, groups, strength, draws=1, seed=0)
        rows = balanced_rows(groups, np.random.default_rng(0))
        features = view.fit.features.double().numpy()
        deviation = features.std(axis=0)
        margin = features[rows] @ weights + intercept
        wrong = fit.target[rows] - 1 / (1 + np.exp(-margin))
        slopes = strength * wrong @ ((features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1))[rows]
        used = np.abs(weights) > 1e-9
        assert used.any() and not used.all()
        np.testing.assert_allclose(slopes[used], np.sign(weights[used]), atol=0.02)
        assert np.abs(slopes[~used]).max() < 1.02

    def test_only_the_last_layer_changes(
        self, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
    ) -> None:
        result = mitigate(biased, "dfr", fit, validation)
        assert result.classifier is not None
        before, after = biased.state_dict(), result.classifier.state_dict()
        assert {name for name in before if not torch.equal(before[name], after[name])} == {
            f"{OUTPUT}.weight",
            f"{OUTPUT}.bias",
        }


class TestFeatures:
    def test_they_are_what_goes_into_the_last_layer(self, biased: nn.Module, fit: LabelledFaces) -> None:
        layer = biased.get_submodule(OUTPUT)
        logits = layer(features_of(biased, fit.images))
        np.testing.assert_allclose(
            logits.softmax(dim=1)[:, 1].detach().numpy(), predict_scores(biased, fit.images), atol=1e-6
        )

    def test_each_face_is_looked_at_once_for_all_methods(
        self, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fairsal_core.mitigation.features._kept", (b"", {}))
        seen = 0
        forward = nn.Conv2d.forward

        def counted(self: nn.Conv2d, images: Tensor) -> Tensor:
            nonlocal seen
            seen += len(images) if self.in_channels == 3 else 0
            return forward(self, images)

        monkeypatch.setattr(nn.Conv2d, "forward", counted)
        features_of(biased, fit.images[:50])
        assert seen > 50  # and a few to find layers
        last_layer_of(biased, fit, validation)
        before = seen
        for _ in range(2):
            last_layer_of(biased, part(fit, slice(20, 90)), validation)
        assert seen - before < 30

    def test_another_network_has_features_of_its_own(self, biased: nn.Module, fit: LabelledFaces) -> None:
        other, scaled = toy_network(4), copy.deepcopy(biased)
        scaled[0].mean = scaled[0].mean + 0.1  # no weight, and not in the state dict
        first = features_of(biased, fit.images[:5])
        assert not torch.equal(first, features_of(other, fit.images[:5]))
        assert not torch.equal(first, features_of(scaled, fit.images[:5]))
        assert torch.equal(first, features_of(biased, fit.images[:5]))

    def test_a_last_layer_that_cannot_learn_alone_is_one_sentence(self, fit: LabelledFaces) -> None:
        network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
        with pytest.raises(FairsalError, match="Only a linear last layer"):
            last_layer_of(network, fit, fit)

    def test_a_last_layer_put_back_gives_its_scores(self, biased: nn.Module, fit: LabelledFaces) -> None:
        view = last_layer_of(biased, fit, fit)
        with torch.no_grad():
            view.layer.bias += torch.tensor([0.5, -0.5])
        np.testing.assert_allclose(
            predict_scores(with_last_layer(biased, view.layer, fit.images), fit.images),
            view.fit.scores(view.layer),
            atol=1e-6,
        )


@pytest.mark.parametrize("method", ROBUST)
def test_the_last_layer_alone_learns_where_that_is_asked_for(
    method: str, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    settings = settings_of(method, trained="last_layer", epochs=8, learning_rate=1e-2)
    result = mitigate(biased, method, fit, validation, settings)
    assert result.classifier is not None, result.reason
    changed = {
        name
        for name, value in result.classifier.state_dict().items()
        if not torch.equal(value, biased.state_dict()[name])
    }
    assert changed == {f"{OUTPUT}.weight", f"{OUTPUT}.bias"}
    chosen = next(trial for trial in result.trace if trial.chosen)
    assert chosen.worst_cell == judge_classifier(result.classifier, validation).worst_cell
    best = "worst_class" if settings.choose_by == "worst_class" else "worst_cell"
    assert getattr(chosen, best) == max(getattr(trial, best) for trial in result.trace)


class TestMaskTune:
    def test_the_maps_by_the_formula_with_slopes_from_finite_differences(self, fit: LabelledFaces) -> None:
        network, faces = toy_network().double(), part(fit, slice(0, 3))
        images = to_unit(torch.from_numpy(faces.images)).double()
        with outputs_of(network, [LAST_STAGE]) as outputs, torch.no_grad():
            network(images)
        maps = outputs[LAST_STAGE]

        def logit(face: int, moved: Tensor) -> float:
            with torch.no_grad():
                return float(network[10:](moved[None])[0, int(faces.target[face])])  # type: ignore[index]

        slopes = torch.zeros_like(maps)
        for face in range(3):
            for place in np.ndindex(*maps.shape[1:]):
                step = torch.zeros_like(maps[face])
                step[place] = 1e-6
                slopes[(face, *place)] = (logit(face, maps[face] + step) - logit(face, maps[face] - step)) / 2e-6
        expected = np.zeros((3, *maps.shape[2:]))
        for face in range(3):
            for channel in range(maps.shape[1]):
                a = maps[face, channel].numpy()
                expected[face] += (slopes[face, channel].numpy() * a).sum() / a.sum() * a
        expected = np.maximum(expected, 0)
        assert expected.any()
        np.testing.assert_allclose(grad_cam(maps, slopes).numpy(), expected, atol=1e-6)
        found = class_activation_maps(network.float(), LAST_STAGE, faces)
        assert found.shape == (3, *faces.images.shape[1:3])
        slow = nn.functional.interpolate(torch.from_numpy(expected)[:, None], found.shape[1:], mode="bilinear")[:, 0]
        np.testing.assert_allclose(found, slow, atol=1e-4)

    def test_what_stands_out_is_in_the_mean_colour_and_nothing_else_changes(self, fit: LabelledFaces) -> None:
        faces = part(fit, slice(0, 4))
        maps = np.zeros(faces.images.shape[:3], dtype=np.float32)
        maps[1, 2:4, 5:7] = 1.0
        masked = without_salient(faces, maps, 2.0)
        changed = (masked.images != faces.images).any(axis=3)
        assert np.argwhere(changed).min(axis=0).tolist() == [1, 2, 5]
        assert np.argwhere(changed).max(axis=0).tolist() == [1, 3, 6]
        colour = faces.images.reshape(-1, 3).mean(axis=0)
        np.testing.assert_allclose(masked.images[1, 2, 5], colour, atol=0.51)


class TestIntraProcessing:
    @pytest.mark.parametrize("choose_by", ["equalized_odds", "worst_group", "worst_class"])
    def test_one_number_sorts_as_the_search_does(self, choose_by: ChooseBy) -> None:
        generator = np.random.default_rng(0)
        judgements = [Judgement(*generator.random(4)) for _ in range(50)]
        worths = [worth_of(each, 0.6, choose_by) for each in judgements]
        assert sorted(worths) == sorted(worths, key=quality)

    def test_weights_are_multiplied_by_noise_around_one(self) -> None:
        network = nn.Linear(300, 300)
        before = network.weight.detach().clone()
        perturb(network, 0.1, torch.Generator().manual_seed(0))
        factors = (network.weight.detach() / before)[before.abs() > 1e-4]
        assert float(factors.mean()) == pytest.approx(1, abs=0.002)
        assert float(factors.std()) == pytest.approx(0.1, abs=0.002)

    def test_units_are_scaled_and_come_back(self) -> None:
        layer = nn.Conv2d(3, 4, 2)
        weight, bias = (each.detach().clone() for each in (layer.weight, layer.bias))
        with kept_weights(layer):
            scale_units(layer, torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64))
            assert torch.equal(layer.weight[1], 2 * weight[1])
            assert torch.equal(layer.bias[2], 0.5 * bias[2])
        assert torch.equal(layer.weight, weight)
        assert torch.equal(layer.bias, bias)

    def test_the_search_beats_guessing(self) -> None:
        best = np.array([0.7, 1.3, 1.1])

        def nearness(factors: np.ndarray) -> float:
            assert np.abs(factors - 1).max() <= 0.5
            return -float(np.square(factors - best).sum())

        found = [nearness(maximise(nearness, 3, 0.5, 24, seed)) for seed in range(4)]
        generator = np.random.default_rng(0)
        guessed = [max(nearness(one) for one in generator.uniform(0.5, 1.5, (24, 3))) for _ in range(200)]
        assert np.mean(found) > np.mean(guessed)


def test_a_scaled_class_is_a_threshold_for_the_worst_group(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    result = mitigate(biased, "class_scaling", fit, validation)
    assert result.classifier is not None, result.reason
    chosen = next(trial for trial in result.trace if trial.chosen)
    assert chosen.worst_cell == max(trial.worst_cell for trial in result.trace)
    scale = result.diagnostics["scale"]
    assert scale == scale_of(chosen.settings["threshold"])
    scores = predict_scores(biased, validation.images).astype(np.float64)
    assert judge((scale * scores > 1 - scores).astype(float), validation).worst_cell == chosen.worst_cell


@pytest.mark.parametrize("kept", [0, 1])
@pytest.mark.parametrize("method", [*BY_GROUP, *BY_CLASS])
def test_a_group_that_is_empty_or_a_single_face_is_one_sentence(
    method: str, kept: int, biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    scarce = fit.target & fit.confounder if method in BY_GROUP else fit.target
    rows = np.concatenate([np.flatnonzero(~scarce), np.flatnonzero(scarce)[:kept]])
    result = mitigate(biased, method, part(fit, rows), validation, settings_of(method, epochs=1))
    name = "with the target and the confounder" if method in BY_GROUP else "with the target"
    assert (result.outcome, result.reason) == (
        "failed",
        f"{method} needs at least 2 faces {name} to learn from; there are {kept}.",
    )


def test_methods_that_need_no_groups_look_at_none(
    biased: nn.Module, fit: LabelledFaces, validation: LabelledFaces
) -> None:
    shuffled = [
        LabelledFaces(faces.images, faces.target, np.random.default_rng(7).permutation(faces.confounder))
        for faces in (fit, validation)
    ]
    for method in ("rwy", "suby", "jtt", "masktune", "fine_tune"):
        settings = settings_of(method, epochs=2, identification_epochs=(1,))
        first, second = (mitigate(biased, method, *sets, settings) for sets in ((fit, validation), shuffled))
        assert first.classifier is not None and second.classifier is not None, (method, first.reason)
        for before, after in zip(
            first.classifier.state_dict().values(), second.classifier.state_dict().values(), strict=True
        ):
            assert torch.equal(before, after), method


def test_every_new_method_says_where_it_is_from() -> None:
    for name in (*BY_GROUP, *BY_CLASS, "jtt", "masktune", "random_perturbation", "layerwise", "class_scaling"):
        assert METHODS[name].latex and METHODS[name].source, name


def test_toy_faces_have_all_groups() -> None:
    faces = toy_faces(240, seed=1)
    assert np.bincount(cell_numbers(faces.target, faces.confounder)).min() > 2
