"""A tiny output of each stage, in numbers that are the same on every machine but for rounding."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fairsal_core.classifiers import (
    Subject,
    Treatment,
    build_classifier,
    decisions,
    has_thresholds,
    load_classifier,
    predict_scores,
)
from fairsal_core.experiments.experiment import Experiment
from fairsal_core.experiments.explaining import ExplainedFaces, relevance_stage
from fairsal_core.experiments.maps import maps_stage
from fairsal_core.experiments.mitigating import MitigationFaces, mitigation_stage
from fairsal_core.experiments.planning import plan_experiment
from fairsal_core.experiments.regions import Regions, quality_stage, region_stage
from fairsal_core.experiments.scoring import Hiding, scores_of
from fairsal_core.experiments.training import training_stage
from fairsal_core.faces import FaceDataset, list_faces
from fairsal_core.mitigation import METHODS
from fairsal_core.regions import NETWORKS, RegionClassifier, RegionTraining, bundled_classifier, region_maps
from fairsal_core.results import results_table
from fairsal_core.runs import JobProgress, RunFiles
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.scaling import open_maps, stored_maps
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings import ExplainerChoice, MethodChoice, parse_config
from fairsal_core.tensors import to_unit
from tests.reports.conftest import made_up_predictions

CPU = torch.device("cpu")
Numbers = dict[str, list[float]]
# Where a method searches, one candidate: which of two that are nearly as good is chosen is a matter of rounding.
_SLOW = {
    "epochs": 1,
    "batch_size": 16,
    "learning_rate": 1e-5,
}  # a network with random weights soon says the same of all
_WATCHED = ("1.weight", "11.weight", "23.weight")
_ONE_CANDIDATE: dict[str, dict[str, Any]] = {
    "zhang": {**_SLOW, "alphas": (0.3,), "adversary_head_start": 5},
    "savani": {**_SLOW, "lambdas": (1.0,), "critic_steps": 5},
    "a_clarc": {**_SLOW, "layers": ("15",), "shares": (1.0,)},
    "p_clarc": {"layers": ("15",)},
    "r_clarc": {"layers": ("15",)},
    "rr_clarc": {**_SLOW, "layers": ("15",), "lambdas": (1.0,)},
    "leace": {"layers": ("15",)},
    "fine_tune": _SLOW,
    **dict.fromkeys(("rwy", "rwg", "suby", "subg"), _SLOW),
    "group_dro": {**_SLOW, "adjustments": (2.0,)},
    "jtt": {**_SLOW, "identification_epochs": (1,), "lambdas": (2.0,)},
    "masktune": _SLOW,
    "dfr": {"strengths": (1.0,), "draws": 2},
    "random_perturbation": {"trials": 1, "deviation": 0.001},
    "layerwise": {"searched_layers": ("23",), "evaluations": 2},
}
_REGION_FACES: dict[str, dict[str, Any]] = {
    "dense": {"images": 40, "batch_size": 20, "validation_images": 8},
    "resnet18": {"images": 8, "batch_size": 4, "validation_images": 2, "per_side": 5},
}
_CHEAP = {
    "lrp": {"epsilon": 0.05},  # of a network with random weights, a smaller one divides by rounding errors
    "lrp_graph": {"epsilon": 0.05},
    "integrated_gradients": {"steps": 4},
    "smoothgrad": {"samples": 2},
    "occlusion": {"window": 32, "stride": 32},
}


def outputs(faces: FaceDataset, folder: Path) -> Iterator[tuple[str, str, Callable[[], Numbers]]]:
    """Give stage, case, and what computes its numbers; `faces` are packed, and `folder` is a workspace of its own."""
    yield "packing", "drawn faces", lambda: {"pixels": _described(faces.images[:12])}
    for network in NETWORKS._own:
        yield "regions", network, partial(_regions, faces, network)
    yield "region_quality", "bundled", partial(_quality, faces)
    yield "maps", "negative_entropy", partial(_maps, faces)
    yield "scores", "clean", partial(_scored, faces, None)
    for scheme in SCHEMES._own:
        yield "scores", scheme, partial(_scored, faces, scheme)
    yield "classifiers", "three_conv", partial(_trained, faces, folder, "none")
    for scheme in SCHEMES._own:
        yield "classifiers", scheme, partial(_trained, faces, folder, scheme)
    for explainer in EXPLAINERS._own:
        yield "relevance", explainer, partial(_explained, faces, explainer)
    for method in METHODS._own:
        yield "mitigated", method, partial(_mitigated, faces, method)
    yield "shards", "margin", partial(_shards, faces, folder)
    yield "attribution", "margin", partial(_shards, faces, folder)
    yield "results", "made up", _results


def _described(values: NDArray[Any]) -> list[float]:
    """Return the mean, the spread and some quantiles of an array."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return [float(flat.mean()), float(flat.std()), *np.quantile(flat, (0.05, 0.25, 0.5, 0.75, 0.95))]


def _scores(classifier: nn.Module, faces: FaceDataset) -> list[float]:
    return [float(score) for score in predict_scores(classifier, faces.images[:8])]


def _regions(faces: FaceDataset, network: str) -> Numbers:
    settings = RegionTraining(network=network, epochs=1, precision="fp32", **_REGION_FACES[network])
    trained = RegionClassifier.load(region_stage(faces, "Blond_Hair", settings, CPU).make())
    return {"maps": _described(region_maps(trained, faces.images[:2], "margin"))}


def _quality(faces: FaceDataset) -> Numbers:
    regions = Regions(bundled_classifier("Blond_Hair"), {"weights": "bundled"})
    told = quality_stage(regions, faces, RegionTraining()).make()
    return {
        "quality": [told.auc, *told.interval, told.bits, *told.bits_interval, float(told.faces), float(told.rarest)]
    }


def _maps(faces: FaceDataset) -> Numbers:
    regions = Regions(bundled_classifier("Blond_Hair"), {"weights": "bundled"})
    maps = maps_stage(regions, faces.take(range(6)), "negative_entropy").make()
    return {"maps": _described(maps.each), "mean": _described(maps.mean), "colour": list(maps.colour)}


def _trained(faces: FaceDataset, folder: Path, scheme: str) -> Numbers:
    content = {
        "data": str(faces.root),
        "counts": "2,8,6,4",
        "schemes": [] if scheme == "none" else [f"{scheme}@0.7"],
        "balanced": False,
        "training": {"epochs": 1, "batch_size": 10},
        "test_per_cell": 2,
        "attention": {"explainers": ["none"]},
        "device": "cpu",
    }
    plan = plan_experiment(parse_config(content), faces)
    variant = next(each for each in plan.variants if scheme == "none" or each.scheme)
    variant = replace(variant, training=variant.training.model_copy(update={"epochs": 1}))
    experiment = Experiment(plan, RunFiles(folder), CPU, JobProgress(), lambda network: {})
    experiment.maps[0] = None
    if scheme != "none":
        experiment.regions = Regions(bundled_classifier("Blond_Hair"), {"weights": "bundled"})
        experiment.map_subset(0)
    classifier = load_classifier("three_conv", training_stage(experiment, variant, 0).make())
    norms = {name: [float(value.norm())] for name, value in classifier.state_dict().items() if value.ndim > 1}
    return {"scores": _scores(classifier, faces), **norms}


def _subject(faces: FaceDataset, far: float = 0.0) -> Subject:
    """Return a network with random weights, the same everywhere, that says yes of half of the faces, and not narrowly."""
    images = to_unit(torch.from_numpy(np.array(faces.images)))

    def load() -> nn.Module:
        torch.manual_seed(3)
        network = build_classifier("three_conv").eval()
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        with torch.no_grad():
            for norm in norms:  # as a trained one's would be, or training on would change everything at once
                norm.train()
                norm.momentum = 1.0
            network(images)
            for norm in norms:
                norm.eval()
                norm.momentum = 0.1
            last.weight.mul_(5)
            logits = network(images)
            # Of logits near 0, relevance would be a difference of large numbers, and that a matter of rounding.
            last.bias[1] -= (logits[:, 1] - logits[:, 0]).median()
            last.bias += far
        return network

    return Subject("original", 0, "three_conv", "golden", load, lambda seed: load())


def _scored(faces: FaceDataset, scheme: str | None) -> Numbers:
    upper = torch.arange(128)[:, None].expand(128, 128) < 64
    hiding = None
    if scheme is not None:
        hiding = Hiding(scheme, Treatment(SCHEMES.find(scheme), upper, (0.5, 0.4, 0.4)), {"scheme": scheme})
    return {"scores": [float(score) for score in scores_of(_subject(faces), faces.take(range(8)), hiding, CPU)]}


def _explained(faces: FaceDataset, method: str) -> Numbers:
    choice = ExplainerChoice(method=method, settings=_CHEAP.get(method, {}))  # type: ignore[arg-type]
    explained = ExplainedFaces(faces.take(range(3)), "Male", "Blond_Hair")
    maps, numbers = relevance_stage(_subject(faces, far=3.0), choice, explained, CPU).make()
    return {"maps": _described(maps), "peaks": [float(value) for value in numbers["peak"]]}


@contextmanager
def _one_thread() -> Iterator[None]:
    """The smallest steps of a method are a matter of rounding, and so of how a sum is shared out, as they are of bf16."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def _mitigated(faces: FaceDataset, method: str) -> Numbers:
    choice = MethodChoice(method=method, settings=_ONE_CANDIDATE.get(method, {}))  # type: ignore[arg-type]
    train, test = faces.in_split("train"), faces.in_split("val")
    of_method = MitigationFaces(train.take(range(64)), test, "Male", "Blond_Hair")
    with patch("fairsal_core.tensors.bf16_units", return_value=""):  # its smallest steps are a matter of rounding
        outcome = mitigation_stage(_subject(faces), choice, of_method, CPU).make()
    ways = {"ok": 0.0, "no effect": 1.0, "failed": 2.0}
    if outcome.classifier is None:
        return {"outcome": [ways[outcome.outcome]]}
    classifier = load_classifier("three_conv", outcome.classifier)
    before, after = _subject(faces).load().state_dict(), classifier.state_dict()
    moved = {name: [float((after[name] - before[name]).norm())] for name in _WATCHED if name in after}
    if has_thresholds(classifier):
        decided = decisions(classifier, predict_scores(classifier, test.images), test.labels("Blond_Hair"))
        moved = {"decisions": [float(each) for each in decided]}
    return {"outcome": [ways[outcome.outcome]], "scores": _scores(classifier, faces), **moved}


def _shards(faces: FaceDataset, folder: Path) -> Numbers:
    listed = list_faces(str(faces.root)).take(range(6))
    path = stored_maps(bundled_classifier("Eyeglasses"), listed, "margin", folder / "nowhere", size=4)
    maps, names = open_maps(path)
    return {"maps": _described(maps[:]), "faces": [float(len(names))]}


def _results() -> Numbers:
    table = results_table(made_up_predictions((0, 1, 2)), "Male", "Blond_Hair")
    return {
        str(metric): [float(value) for value in part[["value", "low", "high"]].fillna(-1).mean()]
        for metric, part in table.groupby("metric")
    }
