"""What takes LRP's place, and why, is said; where LRP may be shown it stays."""

import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fairsal_core.classifiers import Subject
from fairsal_core.experiments.trusting import trusted_choices
from fairsal_core.progress import silent
from fairsal_core.saliency import LrpGraphSettings, explain, why_no_lrp
from fairsal_core.settings import ExplainerChoice
from tests.helpers import noise_images
from tests.saliency.networks import looks_at, small_network

FACES = (noise_images(3, size=32), np.array([1, 0, 1]))


class Cumulative(nn.Module):
    """Its sums so far have no rule."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.last = nn.Linear(3, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.last(pictures.mean(dim=(2, 3)).cumsum(dim=1))
        return logits


class Unbiased(nn.Module):
    """A sum whose parts cancel but for a bias: the epsilon rule has nothing to share."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)
        nn.init.zeros_(self.last.weight)
        nn.init.ones_(self.last.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.last(pictures.mean(dim=(2, 3)))
        return logits


class Cancelling(nn.Module):
    """A token of its own gives the logit several times over, and the picture takes it back."""

    def __init__(self, token: float = 2.3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 4, 8, 8, bias=False)
        self.token = nn.Parameter(torch.full((1, 4, 1), token))
        self.last = nn.Linear(8, 2, bias=False)
        nn.init.constant_(self.patches.weight, 0.02)
        self.last.weight.data[:] = torch.tensor([-1.0] * 4 + [1.0] * 4)

    def forward(self, pictures: Tensor) -> Tensor:
        seen = self.patches(pictures).flatten(2).mean(dim=2, keepdim=True)
        tokens = torch.cat([seen, self.token.expand(len(seen), -1, -1)], dim=1)
        logits: Tensor = self.last(tokens.flatten(1))
        return logits


def subject(
    load: Callable[[], nn.Module], untrained: Callable[[], nn.Module], architecture: str = "foreign"
) -> Subject:
    return Subject("theirs", 0, architecture, "digest", load, lambda seed: untrained())


def trusted(method: str, *subjects: Subject) -> tuple[list[str], str]:
    choice = ExplainerChoice.model_validate(method)
    choices, words = trusted_choices(choice, subjects, FACES, torch.device("cpu"), silent)
    return [each.name for each in choices], words


def test_what_is_no_lrp_stays() -> None:
    assert trusted("gradient", subject(Cumulative, Cumulative)) == (["gradient"], "")


def test_lrp_of_registered_classifiers_is_zennits() -> None:
    never = subject(Cumulative, Cumulative, "three_conv")
    assert trusted("lrp", never) == (["lrp"], "")


@pytest.mark.parametrize("method", ["lrp", "lrp_graph"])
def test_of_others_it_goes_by_the_graph(method: str) -> None:
    theirs = subject(small_network, lambda: small_network(seed=5))
    choice = ExplainerChoice.model_validate(f"{method}:epsilon=1e-5")
    choices, words = trusted_choices(choice, [theirs], FACES, torch.device("cpu"), silent)
    assert ([each.method for each in choices], words) == (["lrp_graph"], "")
    assert choices[0].settings == LrpGraphSettings(epsilon=1e-5)


@pytest.mark.parametrize(
    ("learned", "random", "why"),
    [
        (Cumulative, Cumulative, "LRP has no rule for the operation 'cumsum'"),
        (Unbiased, Unbiased, "LRP does not keep this network's relevance: 100% of the logit"),
        (Cancelling, Cancelling, "LRP gives .* times the logit to what no picture changes"),
        (small_network, small_network, "with random weights they are much the same .rank correlation 1.00"),
        (
            lambda: looks_at((slice(0, 0), slice(0, 0))),
            lambda: looks_at((slice(0, 4), slice(0, 4))),
            "LRP has nothing to share out",
        ),
    ],
)
def test_where_it_cannot_be_trusted_others_take_its_place(
    learned: Callable[[], nn.Module], random: Callable[[], nn.Module], why: str
) -> None:
    names, words = trusted("lrp", subject(small_network, lambda: small_network(5), "one"), subject(learned, random))
    assert names == ["integrated_gradients", "occlusion"]
    assert words.startswith("lrp_graph is left out for theirs. LRP")
    assert words.endswith("integrated_gradients and occlusion are shown instead.")
    assert re.search(why, words)


def test_where_random_weights_give_a_flat_map_the_learned_one_stands() -> None:
    """As in a deep network whose signal fades with random weights: its logits and their relevance are nothing but zeros."""
    faded = small_network(5)
    for weight in faded.parameters():
        weight.data.zero_()
    assert why_no_lrp(small_network(), faded, *FACES) is None


def test_one_face_with_a_logit_of_nearly_zero_does_not_take_the_maps_from_all() -> None:
    network = Cancelling(token=0.2).eval()
    dark = (noise_images(4, size=32) * np.array([0.104, 0.5, 1, 1])[:, None, None, None]).astype(np.uint8)
    labels = np.array([1, 0, 1, 0])
    explanation = explain(network, dark, labels, "lrp_graph")
    assert np.abs(explanation.diagnostics["relevance_of_constants"]).mean() > 2, "of the dark one it is a multiple"
    assert why_no_lrp(network, small_network(5), dark, labels) is None
    assert "times the logit" in str(why_no_lrp(network, small_network(5), dark[:1], labels[:1]))
