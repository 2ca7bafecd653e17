"""How long the stages of an experiment take: arithmetic on paces, and paces from a moment of each."""

import math
from dataclasses import replace

import pytest

from fairsal_core.experiments import Paces, estimate, plan_variants, probe_paces, stage_seconds
from fairsal_core.experiments.estimate import MethodCost
from fairsal_core.faces import CELLS, CellCounts, FaceDataset
from fairsal_core.mitigation import METHODS
from fairsal_core.settings import parse_config

PACES = Paces(regions=50.0, maps=100.0, training=200.0, explaining={"lrp": 10.0})
SMALL = {
    "data": "a folder without region classifiers",
    "counts": "0,12,8,4",
    "schemes": ["general_mask@0.7"],
    "training": {"epochs": 5, "batch_size": 8},
    "regions": {"images": 100, "epochs": 3, "batch_size": 8},
    "attention": {"explainers": ["lrp"], "explained_faces": 8},
    "seeds": [0, 1],
    "test_per_cell": 2,
    "device": "cpu",
}


def test_every_stage_is_work_over_pace(drawn: FaceDataset) -> None:
    config = parse_config(SMALL)
    seconds = stage_seconds(config, plan_variants(config, drawn), drawn, PACES)
    assert list(seconds) == ["region classifier", "region maps", "training", "testing", "explaining"]
    assert seconds["region classifier"] == 100 * 3 / 50
    assert seconds["region maps"] == 2 * 24 / 100
    assert seconds["training"] == 2 * 3 * 24 * 5 / 200  # two seeds of original, balanced and the mask
    assert seconds["explaining"] == 2 * 3 * 8 / 10


def test_what_there_is_not_to_do_is_no_stage(drawn: FaceDataset) -> None:
    config = parse_config({**SMALL, "schemes": [], "attention": {"explainers": []}})
    nothing = Paces(regions=50.0, maps=100.0, training=200.0, explaining={})
    assert list(stage_seconds(config, plan_variants(config, drawn), drawn, nothing)) == ["training", "testing"]


def test_a_moment_of_each_stage_gives_its_pace(drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairsal_core.experiments.estimate.PROBE_SECONDS", 0.05)
    paces = probe_paces(parse_config(SMALL), drawn)
    found = (paces.regions, paces.maps, paces.training, paces.explaining["lrp"])
    assert all(0 < pace < math.inf for pace in found)


def test_a_method_takes_what_it_costs_for_the_faces_that_it_gets(drawn: FaceDataset) -> None:
    config = parse_config({**SMALL, "mitigation": ["rwg", "jtt", "fine_tune"], "mitigation_faces": 40})
    cost = MethodCost(fixed=2.0, a_face=0.1)
    tried = replace(PACES, mitigating={choice.name: cost for choice in config.mitigation[:2]})
    variants = plan_variants(config, drawn)
    seconds = stage_seconds(config, variants, drawn, tried)
    chosen_on = 4 * min(CellCounts.of(drawn.in_split("val"), "Male", "Blond_Hair")[cell] for cell in CELLS)
    learned = {"mitigation split": 40, "training faces": 24}
    expected = sum(
        2 * (2.0 + 0.1 * (learned.get(METHODS.find(name).learns_from, 64) + chosen_on)) for name in ("rwg", "jtt")
    )
    alike = seconds["training"] / len(variants)  # of one that was not tried: as a training
    assert seconds["mitigation"] == pytest.approx(expected + alike)


def test_methods_are_tried_on_few_faces(drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "PROBE_SECONDS", 0.05)
    config = parse_config({**SMALL, "schemes": [], "mitigation": ["fine_tune", "class_scaling"]})
    costs = probe_paces(config, drawn).mitigating
    assert set(costs) == {"fine_tune", "class_scaling"}
    assert all(cost.fixed >= 0 and cost.a_face >= 0 and cost.fixed + cost.a_face > 0 for cost in costs.values())
    monkeypatch.setattr(estimate, "_PROBED_PER_CELL", (4, 1000))  # more than there are
    assert probe_paces(config, drawn).mitigating == {}
