"""Subjects: the classifiers under audit, wherever they come from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from fairsal_core.classifiers.registry import build_classifier, load_classifier
from fairsal_core.hashing import known_digest


@dataclass(frozen=True)
class Subject:
    """A classifier under audit: it gives logits, and it has a digest. Who judges, explains or mitigates it asks for no more.

    Attributes
    ----------
    name : str
        Its row in every table.
    seed : int
        Of its training, or of whatever else tells it from others of its name.
    architecture : str
        What kind of network it is.
    digest : str
        The same for the same logits: what is known of it is kept under this.
    load : callable
        () -> the network on the CPU, in eval mode: images (N, 3, H, W) in [0, 1] to two logits.
    untrained : callable
        (seed) -> the same network with random weights, to compare with (Adebayo et al. 2018).
    """

    name: str
    seed: int
    architecture: str
    digest: str
    load: Callable[[], nn.Module]
    untrained: Callable[[int], nn.Module]


def stored_subject(name: str, seed: int, architecture: str, weights: Path) -> Subject:
    """Return the subject whose weights a file holds.

    Parameters
    ----------
    name, seed
        See `Subject`.
    architecture : str
        A name in CLASSIFIERS.
    weights : Path
        As `save_classifier` wrote it.

    Raises
    ------
    OSError
        If there is no such file.
    """
    return Subject(
        name,
        seed,
        architecture,
        known_digest(weights),
        load=partial(load_classifier, architecture, weights),
        untrained=partial(_untrained, architecture),
    )


def _untrained(architecture: str, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_classifier(architecture).eval()
