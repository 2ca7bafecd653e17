"""How much of a disk an experiment takes, told before it begins."""

from collections.abc import Sequence

import numpy as np
import torch

from fairsal_core.classifiers import build_classifier
from fairsal_core.costs.base import PICTURE, RELEVANCE, there_is
from fairsal_core.experiments import Variant, needs_regions, with_training
from fairsal_core.faces import PACKED_WHOLE, FaceDataset
from fairsal_core.results import KEPT_FACES
from fairsal_core.settings import ExperimentConfig

_POSITION = 2  # bytes of a position of a region map: float16


def disk_bytes(config: ExperimentConfig, variants: Sequence[Variant], faces: FaceDataset) -> dict[str, int]:
    """Return how many bytes an experiment leaves in the workspace at most, cache and run together, if nothing is there yet.

    Parameters
    ----------
    config : ExperimentConfig
        What is asked for.
    variants : sequence of Variant
        Its variants.
    faces : FaceDataset
        The set. Pictures in one file are packed as a whole, and count nothing where they are.

    Returns
    -------
    dict of str to int
        What takes room -> bytes; without what takes none. Tables, which are some 100 KB, are not counted.
    """
    seeds, methods = len(config.seeds), len(config.mitigation)
    classifiers = with_training(list(variants))
    explained = min(config.attention.explained_faces, KEPT_FACES)
    subjects = len(variants) + methods
    relevance = len(config.attention.explainers) * (
        (subjects * seeds + 1) * config.attention.explained_faces + subjects * explained
    )
    found = {
        "pictures": packed_bytes(faces, pictures_read(config, variants, faces)),
        "region maps": seeds * config.counts.total * config.regions.per_side**2 * _POSITION if config.schemes else 0,
        # Each is in the cache, for whoever wants it next, and in the run.
        "classifiers": seeds * (len(classifiers) + len(variants)) * _weights(config),
        "mitigated classifiers": 2 * seeds * methods * _weights(config),
        "maps of attention": relevance * RELEVANCE,
    }
    return there_is(found)


def packed_bytes(faces: FaceDataset, count: int) -> int:
    """Return how many bytes are packed when so many faces of a set are looked at, at most; in one file all are packed already."""
    return 0 if isinstance(faces.packed, np.ndarray) else count * PICTURE


def pictures_read(config: ExperimentConfig, variants: Sequence[Variant], faces: FaceDataset) -> int:
    """Return how many pictures it looks at, at most: what seeds and variants share is counted for each."""
    if len(faces) <= PACKED_WHOLE:
        return len(faces)
    drawn = len(config.seeds) * sum(count.total for count in {variant.counts for variant in variants})
    learned_from = len(config.seeds) * config.mitigation_faces if config.mitigation else 0
    regions = config.regions.images + config.regions.validation_images if needs_regions(config, faces) else 0
    held_out = int((faces.split != "train").sum())
    return min(len(faces), drawn + learned_from + regions + held_out)


def _weights(config: ExperimentConfig) -> int:
    """Return the bytes of one classifier; none of it is made."""
    with torch.device("meta"):
        network = build_classifier(config.training.classifier)
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())
