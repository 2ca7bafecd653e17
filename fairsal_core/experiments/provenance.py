"""What an experiment was computed of and with, as its run keeps it, and whether that is what it would be computed of now."""

from collections.abc import Mapping

import torch

from fairsal_core.classifiers import CLASSIFIERS
from fairsal_core.experiments.planning import Plan, faces_read, plan_experiment
from fairsal_core.faces import FaceDataset, data_digest, labels_digest, pixels_digest
from fairsal_core.hashing import hash_of
from fairsal_core.mitigation import METHODS
from fairsal_core.regions import MEASURES, NETWORKS
from fairsal_core.saliency import EXPLAINERS
from fairsal_core.schemes import SCHEMES
from fairsal_core.settings import ExperimentConfig, SubjectAuditConfig
from fairsal_core.versions import series, stage_versions, versions

Provenance = Mapping[str, str]
_DATA, _TEST, _STAGES, _EXTENSIONS = "data", "test faces", "stages", "extensions"


def provenance(plan: Plan, device: torch.device) -> dict[str, str]:
    """Return versions of everything, the device, and digests of the faces: what `versions.json` holds."""
    config = plan.config
    return {
        **versions(),
        "device": device.type,
        _STAGES: stage_versions(),
        _EXTENSIONS: _extensions(config),
        _DATA: _data(plan),
        _TEST: _digest(config, plan.test),
    }


def outdated(recorded: Provenance, config: ExperimentConfig, faces: FaceDataset) -> str | None:
    """Return why a run that recorded this is not what the config gives on these faces now; None if it is.

    What decides is what decides for artifacts: faces and labels, the stages' versions, torch up to the minor one, the versions of
    the extensions at work. The device does not: a sweep goes on wherever there is one.
    """
    if recorded.get(_DATA) != _data(plan_experiment(config, faces)):
        return "it was computed for other faces or labels"
    for name, now in ((_STAGES, stage_versions()), (_EXTENSIONS, _extensions(config))):
        if recorded.get(name) != now:
            return f"the versions of its {name} are others"
    if series(recorded.get("torch", "")) != series(versions().get("torch", "")):
        return f"it was computed with torch {recorded.get('torch')}"
    return None


def are_test_faces(recorded: Provenance, config: ExperimentConfig | SubjectAuditConfig, test: FaceDataset) -> bool:
    """Return whether these are the test faces of a run, with the labels they had; True of a run that recorded none."""
    return _TEST not in recorded or recorded[_TEST] == _digest(config, test)


def _data(plan: Plan) -> str:
    """Return the digest of all labels that faces are drawn by, and of the pictures that are drawn."""
    config = plan.config
    return hash_of([labels_digest(plan.faces, config.target, config.confounder), pixels_digest(faces_read(plan))])


def _digest(config: ExperimentConfig | SubjectAuditConfig, faces: FaceDataset) -> str:
    return data_digest(faces, config.target, config.confounder)


def _extensions(config: ExperimentConfig) -> str:
    """Return the installed packages, with their versions, whose entries an experiment uses."""
    used = {
        CLASSIFIERS.origin(config.training.classifier),
        NETWORKS.origin(config.regions.network),
        MEASURES.origin(config.measure),
        *(SCHEMES.origin(choice.scheme) for choice in config.schemes),
        *(EXPLAINERS.origin(choice.method) for choice in config.attention.explainers),
        *(METHODS.origin(choice.method) for choice in config.mitigation),
    }
    return ", ".join(sorted(used - {""})) or "none"
