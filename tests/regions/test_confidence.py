"""The four measures, against plain Python on one patch at a time."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairsal_core.errors import FairsalError
from fairsal_core.regions import MEASURES, confidence


def softmax(logits: Sequence[float]) -> list[float]:
    exponentials = [math.exp(value - max(logits)) for value in logits]
    return [value / sum(exponentials) for value in exponentials]


def plogp(p: float, q: float = 1.0) -> float:
    return p * math.log(p / q) if p > 0 else 0.0


SLOW: dict[str, Callable[[list[float], Sequence[float]], float]] = {
    "top_softmax": lambda p, prior: max(p),
    "margin": lambda p, prior: sorted(p)[-1] - sorted(p)[-2],
    "negative_entropy": lambda p, prior: 1 + sum(plogp(value) for value in p) / math.log(len(p)),
    "information_gain": lambda p, prior: (
        sum(plogp(value, base) for value, base in zip(p, prior, strict=True)) / math.log(1 / min(prior))
    ),
}


def test_every_measure_has_its_twin() -> None:
    assert set(SLOW) == set(MEASURES)
    assert all(measure.name == name and measure.description for name, measure in MEASURES.items())


@pytest.mark.parametrize("kind", ["numpy", "torch"])
@pytest.mark.parametrize("classes", [2, 3, 9])
@pytest.mark.parametrize("measure", SLOW)
def test_against_plain_python(measure: str, classes: int, kind: str) -> None:
    generator = np.random.default_rng(classes)
    logits = generator.normal(scale=3, size=(4, 5, classes))
    prior = generator.dirichlet([2] * classes).tolist()
    fast = confidence(logits if kind == "numpy" else torch.from_numpy(logits), measure, prior)
    assert isinstance(fast, np.ndarray if kind == "numpy" else torch.Tensor)
    assert fast.shape == (4, 5)
    for place in np.ndindex(4, 5):
        assert float(fast[place]) == pytest.approx(SLOW[measure](softmax(logits[place]), prior), abs=1e-9)


@given(logits=st.lists(st.floats(-50, 50), min_size=2, max_size=6), measure=st.sampled_from(sorted(SLOW)))
def test_always_between_zero_and_one(logits: list[float], measure: str) -> None:
    value = float(confidence(np.array(logits), measure))
    assert 0 <= value <= 1
    assert value == pytest.approx(SLOW[measure](softmax(logits), [1 / len(logits)] * len(logits)), abs=1e-6)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_uniform_guess(classes: int) -> None:
    logits = torch.full((classes,), 3.0)
    for measure in ("negative_entropy", "margin", "information_gain"):
        assert float(confidence(logits, measure)) == pytest.approx(0, abs=1e-6)
    assert float(confidence(logits, "top_softmax")) == pytest.approx(1 / classes)


@pytest.mark.parametrize("measure", SLOW)
def test_certainty_is_one(measure: str) -> None:
    assert float(confidence(torch.tensor([0.0, 500.0, 0.0]), measure)) == pytest.approx(1, abs=1e-6)


def test_the_default_is_negative_entropy() -> None:
    logits = torch.randn(7, 2)
    assert torch.equal(confidence(logits), confidence(logits, "negative_entropy"))


def test_information_gain_is_nothing_at_the_prior_and_all_at_the_rarest_class() -> None:
    prior = [0.94, 0.06]
    at_prior = torch.tensor(prior).log()
    assert float(confidence(at_prior, "information_gain", prior)) == pytest.approx(0, abs=1e-6)
    assert float(confidence(torch.tensor([0.0, 200.0]), "information_gain", prior)) == pytest.approx(1, abs=1e-6)
    sure_of_common = float(confidence(torch.tensor([200.0, 0.0]), "information_gain", prior))
    assert sure_of_common == pytest.approx(math.log(1 / 0.94) / math.log(1 / 0.06), abs=1e-6)
    # What the other measures get wrong: repeating the base rate looks sure to them.
    assert float(confidence(at_prior, "top_softmax")) == pytest.approx(0.94)


def test_the_prior_need_not_add_to_one() -> None:
    logits = torch.randn(5, 2)
    torch.testing.assert_close(
        confidence(logits, "information_gain", [3, 1]), confidence(logits, "information_gain", [0.75, 0.25])
    )


def test_half_precision_is_computed_in_single() -> None:
    logits = torch.randn(50, 2)
    torch.testing.assert_close(confidence(logits.bfloat16()), confidence(logits.bfloat16().float()))
    assert confidence(logits.bfloat16()).dtype == torch.float32


def test_a_read_only_array() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 2))
    logits.setflags(write=False)
    assert confidence(logits).shape == (3,)


def test_an_unknown_measure_names_the_nearest() -> None:
    with pytest.raises(FairsalError, match="did you mean 'negative_entropy'"):
        confidence(torch.zeros(2), "entropy_negative")


@pytest.mark.parametrize("logits", [np.zeros((4, 1)), np.zeros(()), np.zeros((2, 0))])
def test_too_few_classes(logits: np.ndarray) -> None:
    with pytest.raises(FairsalError, match="at least 2 classes in the last axis, got shape"):
        confidence(logits)


@pytest.mark.parametrize("prior", [[1.0], [0.5, 0.5, 0.5], [1.0, 0.0], [1.5, -0.5]])
def test_priors_that_do_not_fit(prior: list[float]) -> None:
    with pytest.raises(FairsalError, match="needs 2 frequencies above 0"):
        confidence(torch.zeros(3, 2), "information_gain", prior)
