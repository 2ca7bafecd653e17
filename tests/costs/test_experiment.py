"""How long the stages of an experiment take: arithmetic on paces, and paces from a moment of each."""

import math
from dataclasses import replace

import pytest

from fairsal_core.costs import COSTS, Probed, base, experiment, methods, networks
from fairsal_core.costs.experiment import Paces, probe, stage_seconds
from fairsal_core.costs.methods import MethodCost
from fairsal_core.experiments import plan_variants
from fairsal_core.faces import CELLS, CellCounts, FaceDataset
from fairsal_core.mitigation import METHODS
from fairsal_core.settings import parse_config

PACES = Paces(regions=50.0, maps=100.0, training=200.0, explaining={"lrp": 10.0}, beside_another=120.0, treated=200.0)
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


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (base, experiment, networks):
        monkeypatch.setattr(module, "PROBE_SECONDS", 0.05)


def test_every_stage_is_work_over_pace(drawn: FaceDataset) -> None:
    config = parse_config(SMALL)
    seconds = stage_seconds(config, plan_variants(config, drawn), drawn, PACES)
    assert list(seconds) == ["region classifier", "region maps", "training", "testing", "explaining"]
    assert seconds["region classifier"] == 100 * 3 / 50
    assert seconds["region maps"] == 2 * 24 / 100
    assert seconds["training"] == 2 * 3 * 24 * 5 / 200  # two seeds of original, balanced and the mask
    assert seconds["explaining"] == 2 * 3 * 8 / 10


def test_two_processes_go_at_twice_the_pace_of_half_the_threads(
    drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "has_partner", lambda images, device: True)
    config = parse_config(SMALL)
    paces = replace(PACES, looking=3.0)
    seconds = stage_seconds(config, plan_variants(config, drawn), drawn, paces)
    assert seconds["training"] == 2 * 3 * 24 * 5 / (2 * 120)
    assert next(iter(seconds.items())) == ("looking at the faces", 3.0)


def test_treated_images_take_longer(drawn: FaceDataset) -> None:
    config = parse_config(SMALL)
    paces = replace(PACES, treated=100.0)
    seconds = stage_seconds(config, plan_variants(config, drawn), drawn, paces)
    assert seconds["training"] == pytest.approx(2 * 24 * 5 * (2 / 200 + 1 / 100))  # two as they are, one under the mask


def test_what_there_is_not_to_do_is_no_stage(drawn: FaceDataset) -> None:
    config = parse_config({**SMALL, "schemes": [], "attention": {"explainers": []}})
    nothing = Paces(regions=50.0, maps=100.0, training=200.0, explaining={}, beside_another=60.0, treated=200.0)
    assert list(stage_seconds(config, plan_variants(config, drawn), drawn, nothing)) == ["training", "testing"]


def test_a_moment_of_each_stage_gives_its_pace(drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    paces = probe(parse_config(SMALL), lambda source: drawn)
    found = (paces.regions, paces.maps, paces.training, paces.explaining["lrp"], paces.looking)
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
    hurry(monkeypatch)
    config = parse_config({**SMALL, "schemes": [], "mitigation": ["fine_tune", "class_scaling"]})
    costs = probe(config, lambda source: drawn).mitigating
    assert set(costs) == {"fine_tune", "class_scaling"}
    assert all(cost.fixed >= 0 and cost.a_face >= 0 and cost.fixed + cost.a_face > 0 for cost in costs.values())
    monkeypatch.setattr(methods, "_PROBED_PER_CELL", (4, 1000))  # more than there are
    assert probe(config, lambda source: drawn).mitigating == {}


def test_memory_is_what_the_probe_held_and_the_faces_that_are_looked_at(
    drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed = Probed(PACES, 10**9)

    def held(**more: object) -> dict[str, int]:
        config = COSTS["experiment"].parse({**SMALL, **more})
        return dict(COSTS["experiment"].cost(config, lambda source: drawn, probed).memory)

    picture = 128 * 128 * 3
    assert held() == {
        "program, networks and batches": 10**9,
        "pictures": len(drawn) * picture,  # a small set is looked at as a whole
        "faces of a training": 24 * picture,
    }
    assert held(schemes=["specific_noise@0.7"])["faces of a training"] == 24 * (picture + 128 * 128)
    monkeypatch.setattr(experiment, "has_partner", lambda images, device: True)
    assert held()["a second process, for every other training"] == 10**9 + 24 * picture


def test_experiments_share_a_probe_where_paces_are_the_same() -> None:
    def depends_on(**more: object) -> object:
        return experiment.depends_on(parse_config({**SMALL, **more}))

    longer = {"images": 100, "epochs": 9, "batch_size": 8}
    assert depends_on(seeds=[0, 1, 2], counts="0,24,16,8", regions=longer) == depends_on()
    assert depends_on(schemes=["specific_mask@0.7"]) != depends_on() != depends_on(schemes=[])
    for other in ({"target": "Smiling"}, {"training": {"batch_size": 16}}, {"attention": {"explainers": ["gradient"]}}):
        assert depends_on(**other) != depends_on()
