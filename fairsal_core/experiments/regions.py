"""The stage that trains a region classifier or an atlas, and where to find those there are."""

import os
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from fairsal_core.drawing import DEMO
from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    FaceDataset,
    data_digest,
    is_photographed_celeba,
    labels_digest,
    load_faces,
    pixels_digest,
)
from fairsal_core.files import read_json, write_json
from fairsal_core.hashing import file_digest, hash_of
from fairsal_core.progress import Progress, silent
from fairsal_core.regions import (
    NETWORKS,
    Atlas,
    Quality,
    RegionClassifier,
    RegionTraining,
    atlas_names,
    atlas_path,
    bundled_attributes,
    bundled_path,
    heard,
    judging_faces,
    load_regions,
    patch_logits,
    quality_of,
    stored_attributes,
    tell,
    train_atlas,
    train_region_classifier,
    training_faces,
)
from fairsal_core.runs import Stage, kept_artifacts, processes
from fairsal_core.settings import ExperimentConfig, SubjectAuditConfig
from fairsal_core.versions import STAGES

Asking = ExperimentConfig | SubjectAuditConfig
_STAGE = "regions"
_QUALITY, _JUDGED = "region_quality", "quality.json"
_FILES = "regions"  # without its endings: weights and sidecar
ALL = "all"  # instead of an attribute: an atlas


@dataclass(frozen=True)
class Regions:
    """A region classifier and what identifies it: its files' digests."""

    classifier: RegionClassifier
    key: dict[str, Any]


def region_stage(faces: FaceDataset, attribute: str, settings: RegionTraining, device: torch.device) -> Stage[Path]:
    """Return the stage that trains a region classifier on these faces; it gives a path for `load_regions`.

    With `ALL` for the attribute it is the atlas of all attributes that vary. Under torchrun the training is the first process's;
    the others `help_to_train`. It is the same stage on every device: a classifier is an instrument, and whatever it measures
    depends on its files.
    """
    depends_on = {
        "labels": _labels(faces, attribute),
        "faces": _pictures(faces, attribute, settings),
        "attribute": attribute,
        "training": settings.model_dump(mode="json"),
        "extension": NETWORKS.origin(settings.network),
    }

    def build(folder: Path, progress: Progress) -> None:
        tell({**depends_on, "root": str(faces.root)})
        _trained(faces, attribute, settings, device, progress).save(folder / _FILES)

    return Stage(_STAGE, STAGES[_STAGE], depends_on, build, read=lambda folder: folder / _FILES)


def _trained(
    faces: FaceDataset, attribute: str, settings: RegionTraining, device: torch.device, progress: Progress = silent
) -> RegionClassifier | Atlas:
    if attribute == ALL:
        return train_atlas(faces, None, settings, device=device, progress=progress)
    return train_region_classifier(faces, attribute, settings, device=device, progress=progress)


def _labels(faces: FaceDataset, attribute: str) -> str:
    """Return the digest of the labels that a region classifier learns, and that its faces are drawn by."""
    attributes = tuple(map(str, faces.attributes.columns)) if attribute == ALL else (attribute,)
    return labels_digest(faces.take(np.flatnonzero((faces.split != "test").to_numpy())), *attributes)


def _pictures(faces: FaceDataset, attribute: str, settings: RegionTraining) -> str:
    """Return the digest of the pictures that it is trained and judged on."""
    labelled = faces if attribute == ALL else faces.with_label(attribute)
    return hash_of([pixels_digest(draw(labelled, settings)) for draw in (training_faces, judging_faces)])


def find_regions(config: Asking, faces: FaceDataset, device: torch.device, progress: Progress = silent) -> Regions:
    """Return the confounder's region classifier: one there is for these faces, else one trained for them."""
    path = _at_hand(config, faces) or region_stage(faces, config.confounder, config.regions, device).make(progress)
    key = {
        "attribute": config.confounder,
        "weights": file_digest(path.with_suffix(".safetensors")),
        "about": file_digest(path.with_suffix(".json")),
    }
    return Regions(load_regions(path, config.confounder).to(device), key)


def quality_stage(regions: Regions, faces: FaceDataset, settings: RegionTraining) -> Stage[Quality]:
    """Return the stage that judges a region classifier on the validation split of these faces, whatever it was trained on."""
    attribute = regions.classifier.attribute
    held_out = judging_faces(faces.with_label(attribute), settings)
    depends_on = {
        "regions": regions.key,
        "faces": data_digest(held_out, attribute),
        "device": regions.classifier.device.type,
    }

    def build(folder: Path, progress: Progress) -> None:
        logits = patch_logits(regions.classifier, held_out, progress)
        quality = quality_of(logits, held_out.classes(attribute)[0])
        write_json(folder / _JUDGED, {"attribute": attribute, **quality.as_json()})

    return Stage(
        _QUALITY,
        STAGES[_QUALITY],
        depends_on,
        build,
        read=lambda folder: Quality.from_json(read_json(folder / _JUDGED)),
    )


def needs_regions(config: Asking, faces: FaceDataset) -> bool:
    """Return whether a region classifier has to be trained."""
    return bool(config.schemes) and _at_hand(config, faces) is None


def _at_hand(config: Asking, faces: FaceDataset) -> Path | None:
    """Return the path of what tells an experiment's confounder without training, unless its settings ask for their own.

    It is the bundled region classifier of the drawn faces, else the atlas of these faces. What was trained of one attribute is
    found as the artifact that it is, if the settings are the same.
    """
    if config.regions != RegionTraining():
        return None
    if config.data == DEMO and config.confounder in bundled_attributes():
        return bundled_path(config.confounder)
    return (_bundled_atlas(faces, config.data) | _kept_for(faces, (ALL,))).get(config.confounder)


def available_regions(faces: FaceDataset, source: str) -> dict[str, Path]:
    """Return the region classifiers there are for these faces: attribute -> path for `load_regions` with the attribute.

    Those of the drawn faces come with the repository, as does an atlas for CelebA; what runs and `train-regions` left for these
    very faces goes before the atlas that comes with the repository, of several the newest.
    """
    found = _bundled_atlas(faces, source) | _kept_for(faces, (ALL, *faces.attributes.columns))
    if source == DEMO:
        found |= {attribute: bundled_path(attribute) for attribute in bundled_attributes()}
    return dict(sorted(found.items()))


def _bundled_atlas(faces: FaceDataset, source: str) -> dict[str, Path]:
    """Return attribute -> path of the atlas that comes with the repository, for photographs in CelebA's layout."""
    if not is_photographed_celeba(source):
        return {}
    known = set(faces.binary_attributes)
    return {attribute: atlas_path() for attribute in atlas_names() if attribute in known}


def _kept_for(faces: FaceDataset, wanted: Collection[str]) -> dict[str, Path]:
    """Return attribute -> path of the newest that was trained on these faces, of what is wanted: attributes, or `ALL`."""
    found: dict[str, Path] = {}
    labels: dict[str, str] = {}
    for folder, identity in kept_artifacts(_STAGE):
        attribute = str(identity.get("attribute"))
        if attribute not in wanted:
            continue
        if attribute not in labels:
            labels[attribute] = _labels(faces, attribute)
        # Labels first: they cost no look at a picture, and tell other sets apart.
        same = identity.get("labels") == labels[attribute] and identity.get("version") == STAGES[_STAGE]
        if same and identity.get("faces") == _pictures_of(faces, attribute, identity):
            path = folder / _FILES
            found |= dict.fromkeys(stored_attributes(path) if attribute == ALL else (attribute,), path)
    return found


def _pictures_of(faces: FaceDataset, attribute: str, identity: Mapping[str, Any]) -> str | None:
    try:
        return _pictures(faces, attribute, RegionTraining.model_validate(identity.get("training")))
    except ValidationError:  # of another version
        return None


def help_to_train(device: torch.device) -> None:
    """Train along with the first of torchrun's processes whatever it trains, and return when there is nothing more."""
    while wanted := heard():
        faces = load_faces(wanted["root"])
        settings = RegionTraining.model_validate(wanted["training"])
        known = {
            "labels": _labels(faces, wanted["attribute"]),
            "faces": _pictures(faces, wanted["attribute"], settings),
        }
        if any(wanted[name] != value for name, value in known.items()):
            raise FairsalError(
                f"{wanted['root']} holds other faces or labels here than for the first process; mount the same folder."
            )
        with _own_gpu(device):
            _trained(faces, wanted["attribute"], settings, device)


def _own_gpu(device: torch.device) -> AbstractContextManager[None]:
    """Hold the lock of the GPU that torchrun gave this process, waiting for whoever computes on it.

    The first process has its own run's. Locks tell the devices of one machine apart, so those of further machines have none.
    """
    rank, here = os.environ["RANK"], os.environ["LOCAL_RANK"]
    if device.type == "cpu" or rank != here:
        return nullcontext()
    return processes.holding(processes.device_lock(f"{device.type}-{here}"))
