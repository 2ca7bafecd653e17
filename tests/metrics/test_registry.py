"""The metrics by name: what each says of itself, what cannot be registered, and that nothing is drawn twice."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fairsal_core.errors import FairsalError
from fairsal_core.metrics import (
    METRICS,
    Axis,
    Criterion,
    Decisions,
    Estimate,
    GroupMetric,
    Interval,
    Metric,
    SaliencyMetric,
    SaliencyTest,
    adr,
    cell_numbers,
    directions,
    fairness_estimates,
    groups,
    in_order,
    metrics_of,
    rrf,
    subgroup_estimates,
    title_of,
    worst_cell,
)
from fairsal_core.metrics.registry import problem_of
from fairsal_core.registry import Registry
from tests.helpers import register

GENERATOR = np.random.default_rng(0)
TARGET, CONFOUNDER = GENERATOR.random((2, 80)) < 0.5
CELLS = cell_numbers(TARGET, CONFOUNDER)
CORRECT = GENERATOR.random((3, 80)) < 0.7
BEFORE, AFTER = GENERATOR.random((2, 5, 6, 6))
REGION = np.arange(36).reshape(6, 6) < 9
MEAN = SaliencyMetric("mean", "mean", "The mean magnitude.", lambda after, roi: after.mean(axis=(1, 2)))


def test_every_metric_says_what_it_is_and_which_way_is_better() -> None:
    for metric in METRICS.values():
        assert metric.title
        assert metric.description.endswith(".")
        assert metric.bound in ("at most", "at least")
        assert bool(metric.latex) == bool(metric.source)
        assert problem_of(metric, METRICS) is None


@pytest.mark.parametrize("correct", [CORRECT, CORRECT[:1], np.where(CORRECT, 0.8, 0.3)], ids=["seeds", "one", "drawn"])
def test_group_metrics_are_the_estimates_and_ask_fairlearn_once(correct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    subgroups = subgroup_estimates(correct, CELLS)
    expected = [*subgroups, worst_cell(subgroups), *fairness_estimates(correct, CELLS)]
    expected.append(groups.impact_ratio(Decisions(correct, CELLS)))
    asked: list[str] = []

    def counted(module: Any, name: str) -> None:
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, **options: asked.append(name) or real(*args, **options))

    counted(groups, "_differences_by_fairlearn")
    counted(groups, "_parts")
    made = Decisions(correct, CELLS)
    assert [one for metric in metrics_of(GroupMetric) for one in metric.estimates(made)] == expected
    assert sorted(asked) == ["_differences_by_fairlearn", "_parts"]


def test_what_is_said_follows_from_what_is_right() -> None:
    made = Decisions(CORRECT, CELLS)
    assert (made.yes == (CORRECT == TARGET)).all()
    drawn = Decisions(np.where(CORRECT, 0.9, 0.1), CELLS).yes
    assert drawn == pytest.approx(np.where(CORRECT == TARGET, 0.9, 0.1))
    assert made.sizes.tolist() == np.bincount(CELLS).tolist()
    assert made.rates == pytest.approx([CORRECT[:, cell == CELLS].mean() for cell in range(4)])


def test_an_estimate_or_several_go_by_the_metrics_name() -> None:
    estimate = Estimate("?", (0,), 0.5, Interval(0.4, 0.6), 20)
    for given in (estimate, [estimate], (estimate, estimate)):
        found = GroupMetric("mine", "mine", "One of mine.", lambda made, given=given: given).estimates(
            Decisions(CORRECT, CELLS)
        )
        assert {one.metric for one in found} == {"mine"}
        assert len(found) == (2 if given == (estimate, estimate) else 1)


def test_saliency_metrics_are_called_with_the_maps_they_need() -> None:
    assert METRICS["rrf"].values(BEFORE, AFTER, REGION).tolist() == rrf(AFTER, REGION).tolist()
    assert METRICS["adr"].values(BEFORE, AFTER, REGION).tolist() == adr(BEFORE, AFTER, REGION).tolist()
    change = METRICS["rrf_change"].values(BEFORE, AFTER, REGION)
    assert change.tolist() == (rrf(AFTER, REGION) - rrf(BEFORE, REGION)).tolist()
    for metric in metrics_of(SaliencyMetric):
        assert np.isnan(metric.values(None, AFTER, REGION)).all() == metric.needs_before, metric.name


def test_a_metric_that_does_not_give_a_number_a_face_is_named() -> None:
    with pytest.raises(FairsalError, match=r"The metric 'mean' gives numbers of shape \(\) for 5 maps"):
        replace(MEAN, measure=lambda after, roi: after.mean()).values(None, AFTER, REGION)


COUNT = GroupMetric("count", "count", "How many.", lambda made: Estimate("", (0,), 1.0, Interval(1, 1), 1))


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        (Metric("bare", "bare", "Bare."), "no SaliencyMetric, SaliencyTest or GroupMetric"),
        (replace(MEAN, better="smaller"), "better is one of lower, higher, nearer zero, or None; not 'smaller'"),
        (replace(MEAN, title="RRF"), "a metric with the title 'RRF' already"),
        (replace(MEAN, criterion=Criterion("Any.")), "has a direction"),
        (replace(MEAN, name="peak"), "a column of that name"),
        (replace(MEAN, better="lower", axis=Axis("m", "m")), "from before to after"),
        (replace(MEAN, needs_before=True, axis=Axis("m", "m")), "from before to after"),
        (SaliencyTest("test", "test", "A test.", "mine", "is it?"), "'mine' is none"),
        (SaliencyTest("test", "test", "A test.", "gap", "is it?"), "'gap' is none"),
        (
            SaliencyTest("test", "test", "A test.", "rrf", "is it?", better="lower", criterion=Criterion("Any.")),
            "no interval to judge",
        ),
        (replace(COUNT, about="people"), "about is one of groups, targets, cell, faces; not 'people'"),
        (replace(COUNT, better="lower", axis=Axis("c", "c")), "with a change"),
        (replace(COUNT, better="lower", criterion=Criterion("Any.", of_each_cell="gap")), "'gap' is none"),
    ],
)
def test_what_cannot_be_registered(metric: Metric, problem: str) -> None:
    with pytest.raises(FairsalError, match="cannot be registered") as error:
        Registry("metric", "fairsal.tests", Metric, [*METRICS.values(), metric], problem_of)
    assert problem in str(error.value)


def test_a_foreign_one_comes_after_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, METRICS, MEAN, COUNT)
    assert metrics_of(SaliencyMetric)[-1] is MEAN
    assert metrics_of(GroupMetric)[-1] is COUNT
    assert in_order(["gone", "mean", "rrf", "gone", "gap"]) == ["gap", "rrf", "mean", "gone"]
    assert [title_of(name) for name in ("gone", "mean", "rrf")] == ["gone", "mean", "RRF"]


def test_limits_are_of_the_size_where_size_counts() -> None:
    assert METRICS["gap"].limits == (0, 1)
    assert METRICS["gap"].bound == METRICS["rrf"].bound == "at most"
    assert METRICS["worst_cell"].bound == "at least"
    assert replace(METRICS["gap"], span=(-3, 2)).limits == (0, 3)
    assert MEAN.bound is None


def test_directions_in_words() -> None:
    several = [METRICS[name] for name in ("rrf", "hrf", "mrr", "adr", "dif", "rddt")]
    assert directions(several) == "RRF, HRF and MRR fall, ADR, DIF and RDDT rise"
    assert directions([MEAN, METRICS["det"]]) == "DET falls"
    assert directions([MEAN]) == ""
