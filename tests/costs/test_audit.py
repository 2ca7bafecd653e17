"""How long an audit takes: arithmetic on paces, and paces from a moment of each classifier."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fairsal_core.classifiers import Subject, build_classifier
from fairsal_core.costs import audit, base
from fairsal_core.costs.audit import AuditPaces, SubjectPace, audit_seconds, probe
from fairsal_core.errors import FairsalError
from fairsal_core.faces import CELLS, CellCounts, FaceDataset
from fairsal_core.settings import SubjectAuditConfig, parse_audit

PACES = AuditPaces({"new": SubjectPace(50.0, {"lrp": 4.0})}, regions=0.0, maps=16.0)


def asked(**more: object) -> SubjectAuditConfig:
    content = {"data": "demo", "target": "Male", "confounder": "Blond_Hair", "subjects": ["new"], "device": "cpu"}
    config = parse_audit({**content, "attention": {"explainers": ["lrp"], "explained_faces": 12}, **more})
    assert isinstance(config, SubjectAuditConfig)
    return config


def test_every_stage_is_work_over_pace(drawn: FaceDataset) -> None:
    judged = 4 * min(CellCounts.of(drawn.in_split("test"), "Male", "Blond_Hair")[cell] for cell in CELLS)
    seconds = audit_seconds(asked(test_split="test"), drawn, PACES)
    assert seconds == {
        "region map": (len(drawn) + len(drawn.in_split("val"))) / 16,
        "scores of new": judged * 3 / 50,
        "new explained by lrp": 12 / 4,
        "explaining random weights": 12 / 4,
    }
    few = audit_seconds(asked(test_split="test", test_per_cell=1, schemes=[]), drawn, PACES._replace(maps=0.0))
    assert "region map" not in few
    assert few["scores of new"] == 4 / 50
    trained = audit_seconds(asked(), drawn, PACES._replace(regions=100.0))
    regions, there = asked().regions, len(drawn.in_split("train"))
    assert there < regions.images  # a set that has fewer is trained on those that it has
    assert next(iter(trained.items())) == ("region classifier", there * regions.epochs / 100)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the clock of a probe be the faces that went through a network, there or back, which a test's network appends."""
    counted: list[int] = []
    monkeypatch.setattr(base, "time", SimpleNamespace(perf_counter=lambda: float(sum(counted))))
    return counted


def counting(passes: list[int]) -> nn.Module:
    torch.manual_seed(0)
    network = build_classifier("three_conv")
    network.register_forward_hook(lambda _, given, out: passes.append(len(given[0])))
    network.register_full_backward_hook(lambda _, given, out: passes.append(len(out[0])))
    return network


def test_a_moment_of_each_classifier_gives_its_paces(
    drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch, passes: list[int]
) -> None:
    network = counting(passes)
    subject = Subject("new", 0, "three_conv", "new", lambda: network, lambda seed: network)
    monkeypatch.setattr(audit, "find_subjects", lambda names: [subject])
    paces = probe(asked(), lambda source: drawn)
    pace = paces.subjects["new"]
    assert paces.regions == 0.0 < paces.maps  # the bundled ones tell of drawn faces
    assert pace.scored == 1.0
    assert 0 < pace.explained["lrp"] <= 0.5  # explaining goes back through the network too


def test_an_explainer_that_does_not_fit_is_left_out(drawn: FaceDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_classifier("three_conv")
    subject = Subject("new", 0, "three_conv", "new", lambda: network, lambda seed: network)
    monkeypatch.setattr(audit, "find_subjects", lambda names: [subject])

    def refused(*_: object) -> float:
        raise FairsalError("not this one")

    monkeypatch.setattr(audit, "pace_of_explainer", refused)
    monkeypatch.setattr(base, "PROBE_SECONDS", 0.05)
    assert probe(asked(), lambda source: drawn).subjects["new"].explained == {}
