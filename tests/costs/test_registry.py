"""Every kind of job says what it takes, here or in a process of its own."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from pydantic import TypeAdapter

from fairsal_core.costs import COSTS, Probed, attribution, base, explain, networks, probe_aside, regions, sweep
from fairsal_core.costs.experiment import Paces
from fairsal_core.costs.explain import ExplainPaces
from fairsal_core.costs.regions import RegionPaces
from fairsal_core.costs.sweep import SweepPaces
from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset
from fairsal_core.hashing import hash_of
from fairsal_core.regions import train_region_classifier
from fairsal_core.rows import Rows
from fairsal_core.runs import processes, run_here
from fairsal_core.runs.worker import JOBS
from fairsal_core.settings import MITIGATION, plan_trials
from tests.helpers import put_bundled

PICTURE = 128 * 128 * 3
TINY = {
    "counts": "2,8,6,4",
    "schemes": [],
    "balanced": False,
    "training": {"epochs": 1, "batch_size": 10},
    "test_per_cell": 2,
    "attention": {"explainers": ["gradient"], "explained_faces": 8},
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (base, networks):
        monkeypatch.setattr(module, "PROBE_SECONDS", 0.05)


def test_there_is_no_kind_of_job_without_a_cost() -> None:
    assert set(COSTS) == {
        *JOBS,
        MITIGATION,
    }  # the last is no run: what it makes is stored beside an imported classifier


def test_a_region_classifier_learns_and_is_judged(drawn: FaceDataset, tmp_path: Path) -> None:
    training = {"images": 40, "epochs": 3, "validation_images": 8, "batch_size": 20}
    config = regions.parse({"attribute": "Smiling", "training": training, "device": "cpu"})
    cost = regions.cost(config, lambda source: drawn, Probed(RegionPaces(10.0, 25.0), 10**9, started=5.0))
    assert cost.seconds == {"starting": 5.0, "training": 40 * 3 / 10, "judging": 8 / 25}
    assert cost.memory["pictures"] == 48 * PICTURE
    assert regions.probe(config, lambda source: drawn).training > 0
    atlas = config.model_copy(update={"attribute": "all"})
    assert regions.probe(atlas, lambda source: drawn).training > 0
    train_regions = train_region_classifier(drawn, "Smiling", config.training)
    kept = train_regions.save(tmp_path / "regions").stat().st_size
    assert cost.disk["weights"] == pytest.approx(kept, rel=0.1)


def test_a_mapping_is_faces_over_pace(drawn: FaceDataset) -> None:
    config = attribution.parse({"attribute": "Blond_Hair", "split": "val", "device": "cpu"})
    paces = attribution.probe(config, lambda source: drawn)
    assert paces.maps > 0 and paces.bytes == 2 * 49 * 49
    held_out = int((drawn.split == "val").sum())
    cost = attribution.cost(config, lambda source: drawn, Probed(paces, 10**9))
    assert cost.seconds == {"starting": 0.0, "mapping": held_out / paces.maps}
    assert cost.disk == {"region maps": held_out * paces.bytes}
    few = config.model_copy(update={"images": 3})
    assert attribution.cost(few, lambda source: drawn, Probed(paces, 0)).memory["pictures"] == 3 * PICTURE
    pixels = np.array(drawn.images)  # packed as far as it is looked at, where it is not one file
    by_part = replace(drawn, packed=Rows([len(drawn)], lambda part: pixels, pixels.shape[1:], np.uint8))
    assert attribution.cost(few, lambda source: by_part, Probed(paces, 0)).disk["pictures"] == 3 * PICTURE
    with pytest.raises(FairsalError, match="Nose_Ring"):
        attribution.probe(config.model_copy(update={"attribute": "Nose_Ring"}), lambda source: drawn)


def test_an_explanation_is_of_every_classifier_that_is_stored(
    drawn: FaceDataset, drawn_folder: Path, home: Path
) -> None:
    run = run_here("experiment", {**TINY, "data": str(drawn_folder), "seeds": [0, 1], "mitigation": ["threshold"]})
    config = explain.parse({"run": run.name, "explainers": ["gradient"], "explained_faces": 16, "device": "cpu"})
    paces = explain.probe(config, lambda source: drawn)
    assert set(paces.explained) == {"gradient"}
    cost = explain.cost(config, lambda source: drawn, Probed(ExplainPaces({"gradient": 8.0}), 10**9))
    # Two seeds of the original; a threshold has its maps.
    assert cost.seconds == {"starting": 0.0, "explaining by gradient": 2 * 16 / 8, "explaining random weights": 16 / 8}
    with pytest.raises(FairsalError, match="no run"):
        explain.probe(config.model_copy(update={"run": "20200101-000000-experiment-none"}), lambda source: drawn)


def test_a_sweep_is_its_experiments_and_tries_those_that_are_alike_once(
    drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"base": TINY, "trials": [{}, {"confounder": "Eyeglasses"}], "grid": {"seeds": [[0], [1]]}}
    config = sweep.parse(content)
    tried: list[str] = []
    paces = Paces(
        regions=50.0, maps=100.0, training=100.0, explaining={"gradient": 10.0}, beside_another=60.0, treated=100.0
    )

    def probe(trial: object, read: object) -> Paces:
        tried.append(trial.confounder)  # type: ignore[attr-defined]
        return paces

    monkeypatch.setattr(sweep.experiment, "probe", probe)
    found = sweep.probe(config, lambda source: drawn)
    assert tried == ["Blond_Hair", "Eyeglasses"]
    cost = sweep.cost(config, lambda source: drawn, Probed(found, 10**9))
    assert list(cost.seconds) == [
        "starting",
        *(f"{n}: Male × {name}" for n, name in enumerate(["Blond_Hair"] * 2 + ["Eyeglasses"] * 2, 1)),
    ]
    assert 10**7 < cost.memory["the sweep itself"] == found.held
    one = COSTS["experiment"].cost(plan_trials(config)[0], lambda source: drawn, Probed(paces, 10**9))
    assert cost.seconds["1: Male × Blond_Hair"] == pytest.approx(sum(one.seconds.values()))
    assert cost.disk["classifiers"] == 4 * one.disk["classifiers"] and cost.memory == {
        **one.memory,
        "the sweep itself": found.held,
    }
    key = hash_of(sweep.experiment.depends_on(plan_trials(config)[0]))
    alike = sweep.parse({"base": TINY, "grid": {"measure": ["negative_entropy", "information_gain"]}})
    _, first, second = sweep.cost(alike, lambda source: drawn, Probed(found, 10**9)).seconds.values()
    assert first - second == pytest.approx(one.seconds["training"])  # both have the same original
    assert TypeAdapter(SweepPaces).validate_json(TypeAdapter(SweepPaces).dump_json(found)).trials[key] == paces


def test_a_child_gives_the_paces_and_what_it_held(drawn_folder: Path, home: Path) -> None:
    put_bundled(COSTS["experiment"].parse({"data": str(drawn_folder)}))
    content = {**TINY, "data": str(drawn_folder), "schemes": ["general_mask@0.7"]}
    probed = probe_aside("experiment", json.loads(COSTS["experiment"].parse(content).model_dump_json()))
    assert isinstance(probed.paces, Paces) and probed.paces.training > 0
    assert 10**8 < probed.memory < 10**10 and probed.started > 0
    assert probe_aside("experiment", {**content, "schemes": []}).paces.maps == 0.0  # nothing is mapped
    with pytest.raises(FairsalError, match="nothing"):
        probe_aside("experiment", {**TINY, "data": str(drawn_folder / "nothing")})


def test_the_most_memory_is_at_least_what_is_held_now() -> None:
    held = psutil.Process(os.getpid()).memory_info().rss
    assert processes.peak_memory() >= 0.9 * held


def test_windows_says_the_most_memory_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    said = SimpleNamespace(memory_info=lambda: SimpleNamespace(peak_wset=1234))
    monkeypatch.setitem(sys.modules, "resource", None)  # which it lacks
    monkeypatch.setattr(psutil, "Process", lambda: said)
    assert processes.peak_memory() == 1234
