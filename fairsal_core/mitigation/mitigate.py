"""One call for every method: a trained classifier in, a new one out, or the reason why there is none."""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import nn

from fairsal_core.classifiers import decisions, predict_scores
from fairsal_core.errors import FairsalError
from fairsal_core.mitigation.base import Applied, LabelledFaces, MitigationSettings, Trial
from fairsal_core.mitigation.registry import METHODS
from fairsal_core.progress import Progress, silent

_SMALLEST_CHANGE = 1e-3  # of a score


@dataclass(frozen=True)
class Mitigation:
    """How a method ended.

    Attributes
    ----------
    method : str
        Its name.
    outcome : "ok", "no effect" or "failed"
        no effect: no decision on the validation faces changed, and no score by more than 0.001.
    reason : str
        Why, unless it is ok.
    classifier : torch.nn.Module or None
        The new classifier, in eval mode, if it is ok.
    settings : MitigationSettings
        What it was called with.
    trace : tuple of Trial
        What its search saw on the validation faces.
    diagnostics : dict
        Numbers about it, such as a CAV's `separability`.
    seconds : float
        Wall-clock time.
    """

    method: str
    outcome: Literal["ok", "no effect", "failed"]
    reason: str
    classifier: nn.Module | None
    settings: MitigationSettings
    trace: tuple[Trial, ...] = ()
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def mitigate(
    classifier: nn.Module,
    method: str,
    fit: LabelledFaces,
    validation: LabelledFaces,
    settings: MitigationSettings | None = None,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Mitigation:
    """Apply a method to a trained classifier, which stays as it is.

    Parameters
    ----------
    classifier : torch.nn.Module
        Images (N, 3, H, W) in [0, 1] to two logits. A copy is worked on, on its device and in eval mode.
    method : str
        A name in `METHODS`.
    fit : LabelledFaces
        The mitigation split: faces that the classifier was not trained on.
    validation : LabelledFaces
        Other faces, on which thresholds and settings are chosen. Not the test set.
    settings : MitigationSettings, optional
        The method's settings; its defaults if not given.
    seed : int
        Fixes all that is random; the generators of the caller stay as they are.
    progress : Progress
        Called after each candidate or epoch; may raise to stop.

    Returns
    -------
    Mitigation
        Also where the method failed or changed nothing.

    Raises
    ------
    FairsalError
        If method and settings do not fit each other, or there are no faces.
    """
    chosen = METHODS.find(method)
    settings = chosen.settings() if settings is None else settings
    if type(settings) is not chosen.settings:
        raise FairsalError(f"{method} takes {chosen.settings.__name__}, not {type(settings).__name__}.")
    if not len(fit) or not len(validation):
        raise FairsalError(f"{method} needs faces to fit and others to validate; got {len(fit)} and {len(validation)}.")
    started = time.perf_counter()
    original = copy.deepcopy(classifier).eval()
    with torch.random.fork_rng(), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(seed)
        try:
            applied: Applied = chosen.apply(original, fit, validation, settings, seed=seed, progress=progress)
        except (FairsalError, np.linalg.LinAlgError) as error:
            return Mitigation(method, "failed", str(error), None, settings, seconds=time.perf_counter() - started)
    unchanged = _unchanged(original, applied.classifier, validation)
    return Mitigation(
        method,
        "no effect" if unchanged else "ok",
        unchanged,
        None if unchanged else applied.classifier,
        settings,
        applied.trace,
        dict(applied.diagnostics),
        time.perf_counter() - started,
    )


def _unchanged(original: nn.Module, classifier: nn.Module, faces: LabelledFaces) -> str:
    """Return a sentence if nothing changed that anyone could see; empty otherwise."""
    before, after = (predict_scores(network, faces.images) for network in (original, classifier))
    decided = (decisions(original, before, faces.confounder), decisions(classifier, after, faces.confounder))
    largest = float(np.abs(after - before).max())
    if largest > _SMALLEST_CHANGE or not np.array_equal(*decided):
        return ""
    return f"No decision on the {len(faces)} validation faces changed (the largest change of a score is {largest:.1g})."
