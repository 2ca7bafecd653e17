"""Corrections: their identities, their gradient, their place in files and under every explainer."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import (
    Correction,
    Decision,
    Erasure,
    GatedShift,
    Shift,
    build_classifier,
    decisions,
    insert,
    load_classifier,
    mean_activation,
    save_classifier,
)
from fairsal_core.errors import FairsalError
from fairsal_core.saliency import EXPLAINERS, OcclusionSettings, explain
from tests.helpers import noise_images

LEVEL = 0.7


def unit(width: int, seed: int = 0) -> Tensor:
    direction = torch.randn(width, generator=torch.Generator().manual_seed(seed))
    return direction / direction.norm()


def maps(count: int, width: int = 6, seed: int = 1) -> Tensor:
    return torch.randn(count, width, 4, 5, generator=torch.Generator().manual_seed(seed))


def kinds(width: int = 6) -> dict[str, Correction]:
    return {
        "shift": Shift(unit(width), torch.tensor(LEVEL)),
        "gated": GatedShift(unit(width), torch.tensor(LEVEL), torch.tensor(0.0)),
        "erasure": Erasure(torch.outer(unit(width), unit(width)), unit(width, 3)),
    }


@pytest.mark.parametrize("activations", [maps(9), torch.randn(9, 6, generator=torch.Generator().manual_seed(2))])
def test_after_a_shift_every_image_has_the_level(activations: Tensor) -> None:
    shifted = Shift(unit(6), torch.tensor(LEVEL))(activations)
    torch.testing.assert_close(mean_activation(shifted) @ unit(6), torch.full((9,), LEVEL), atol=1e-5, rtol=0)


def test_a_shift_moves_along_the_direction_only_and_the_same_everywhere() -> None:
    activations = maps(5)
    change = Shift(unit(6), torch.tensor(LEVEL))(activations) - activations
    expected = LEVEL - torch.stack([face.mean(dim=(1, 2)) @ unit(6) for face in activations])
    slow = torch.stack([amount * unit(6)[:, None, None].expand(6, 4, 5) for amount in expected])
    torch.testing.assert_close(change, slow, atol=1e-5, rtol=0)


def test_a_gated_shift_touches_only_images_in_which_the_concept_is_found() -> None:
    activations, direction = maps(40), unit(6)
    presence = mean_activation(activations) @ direction
    cut = presence.median()
    result = GatedShift(direction, torch.tensor(LEVEL), cut)(activations)
    found = presence > cut
    assert 0 < int(found.sum()) < 40
    assert torch.equal(result[~found], activations[~found])
    torch.testing.assert_close(
        mean_activation(result[found]) @ direction, torch.full((int(found.sum()),), LEVEL), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("size", [1, 7, 32, 128])
def test_batches_change_nothing(kind: str, size: int) -> None:
    correction, activations = kinds()[kind], maps(130)
    pieces = torch.cat([correction(piece) for piece in activations.split(size)])
    torch.testing.assert_close(pieces, correction(activations), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", kinds())
def test_a_correction_has_the_gradient_of_its_formula(kind: str) -> None:
    correction = kinds()[kind].double()
    activations = maps(3).double().requires_grad_()
    assert torch.autograd.gradcheck(correction, (activations,))


def corrected(kind: str) -> nn.Module:
    torch.manual_seed(0)
    classifier = build_classifier("three_conv").eval()
    insert(classifier, "15", kinds(24)[kind])
    return classifier


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("method", EXPLAINERS)
def test_every_explainer_works_on_a_corrected_classifier(kind: str, method: str) -> None:
    classifier, images = corrected(kind), noise_images(2)
    settings = OcclusionSettings(window=64, stride=64) if method == "occlusion" else None
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    relevance = explain(classifier, images, method=method, settings=settings).relevance
    assert np.isfinite(relevance).all()
    assert np.abs(relevance).max() > 0
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())


def test_lrp_through_a_correction_that_changes_nothing_is_lrp_without_it() -> None:
    torch.manual_seed(0)
    classifier, images = build_classifier("three_conv").eval(), noise_images(2)
    plain = explain(classifier, images)
    insert(classifier, "15", Erasure(torch.zeros(24, 24), torch.zeros(24)))
    idle = explain(classifier, images)
    np.testing.assert_allclose(idle.relevance, plain.relevance, atol=1e-3 * np.abs(plain.relevance).max())
    np.testing.assert_allclose(idle.diagnostics["relevance_kept"], plain.diagnostics["relevance_kept"], atol=2e-3)


def test_lrp_gives_a_correction_s_constant_its_share() -> None:
    """Through a' = a + (z - m(a).v) v, LRP-epsilon by its definition: what each a contributed to each a'."""
    from zennit.composites import LayerMapComposite
    from zennit.rules import Norm

    correction, activations = kinds()["shift"], maps(1).double().requires_grad_()
    correction = correction.double()
    layer = nn.Sequential(correction)
    start = torch.randn(1, 6, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    with LayerMapComposite(layer_map=[(Correction, Norm(stabilizer=1e-12))]).context(layer):
        output = layer(activations)
        (relevance,) = torch.autograd.grad(output, activations, start)
    jacobian = torch.autograd.functional.jacobian(correction, activations.detach()).reshape(120, 120)
    contributions = jacobian * activations.detach().reshape(1, 120)
    slow = (start.reshape(120) / correction(activations).detach().reshape(120)) @ contributions
    torch.testing.assert_close(relevance.reshape(120), slow, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("kind", kinds())
def test_saved_and_loaded_it_is_the_same_bit_for_bit(kind: str, tmp_path: Path) -> None:
    classifier = corrected(kind)
    insert(classifier, "15", Erasure(torch.eye(24) * 0.1, torch.ones(24)))  # two behind one layer, one at another
    insert(classifier, "22", Shift(unit(100), torch.tensor(0.1)))
    rules = torch.tensor([[0.1, 1.0, 0.3, 0.4, 1.0, 0.7, -np.inf, -1.0]], dtype=torch.float64)
    insert(classifier, "23", Decision(rules, torch.zeros(1, dtype=torch.int64)))
    save_classifier(classifier, tmp_path / "corrected.safetensors")
    loaded = load_classifier("three_conv", tmp_path / "corrected.safetensors")
    assert [type(module) for module in loaded.modules()] == [type(module) for module in classifier.modules()]
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in classifier.state_dict().items())
    images = torch.rand(3, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(images), classifier(images))
    scores = np.linspace(0, 1, 5)
    assert np.array_equal(decisions(loaded, scores, np.zeros(5)), decisions(classifier, scores, np.zeros(5)))


def test_a_file_with_an_unknown_correction_is_one_sentence(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    weights = build_classifier("three_conv").state_dict()
    header = {"corrections": '[{"layer": "15", "place": "15.1", "kind": "Magic"}]'}
    save_file(weights, tmp_path / "odd.safetensors", metadata=header)
    with pytest.raises(FairsalError, match="does not hold the weights"):
        load_classifier("three_conv", tmp_path / "odd.safetensors")


class TestDecision:
    SCORES = np.array([0.1, 0.4, 0.6, 0.9])

    def decided(self, rules: list[list[float]], groups: list[int]) -> nn.Module:
        classifier = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
        decision = Decision(torch.tensor(rules, dtype=torch.float64), torch.tensor(groups, dtype=torch.int64))
        insert(classifier, "1", decision)
        return classifier

    def test_without_one_half_is_the_threshold(self) -> None:
        plain = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
        assert decisions(plain, np.array([0.1, 0.5, 0.6])).tolist() == [0, 0, 1]

    def test_one_rule_for_everybody_needs_no_groups(self) -> None:
        classifier = self.decided([[0, 0, 1, 0.3, 1, 0, 0, 1]], [])
        assert decisions(classifier, self.SCORES).tolist() == [0, 1, 1, 1]

    def test_two_thresholds_are_drawn_between(self) -> None:
        classifier = self.decided([[0.2, 1.0, 0.25, 0.3, 1, 0.75, 0.5, 1]], [])
        assert decisions(classifier, self.SCORES).tolist() == pytest.approx([0.2, 0.4, 1.0, 1.0])

    def test_groups_have_their_own_rules(self) -> None:
        classifier = self.decided([[0, 0, 1, 0.5, 1, 0, 0, 1], [0, 0, 1, 0.5, -1, 0, 0, 1]], [0, 1])
        groups = np.array([False, True, False, True])
        assert decisions(classifier, self.SCORES, groups).tolist() == [0, 1, 1, 0]

    def test_unseen_or_missing_groups_are_refused(self) -> None:
        classifier = self.decided([[0, 0, 1, 0.5, 1, 0, 0, 1]] * 2, [0, 1])
        with pytest.raises(FairsalError, match="give the group of each face"):
            decisions(classifier, self.SCORES)
        with pytest.raises(FairsalError, match="No threshold was chosen for the group 2"):
            decisions(classifier, self.SCORES, np.array([0, 1, 2, 0]))
        with pytest.raises(FairsalError, match="one group for each of the 4 scores"):
            decisions(classifier, self.SCORES, np.array([0, 1]))

    def test_logits_and_saliency_are_those_without_it_bit_for_bit(self) -> None:
        torch.manual_seed(0)
        classifier, images = build_classifier("three_conv").eval(), noise_images(2)
        plain = explain(classifier, images).relevance
        insert(classifier, "23", Decision(torch.zeros(1, 8, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)))
        assert np.array_equal(explain(classifier, images).relevance, plain)
