"""The mitigation stage: methods applied to the original of every seed, each result a variant like any other.

`mitigation.json` tells how each method ended for each seed, with the trace of its search. A method is a variant of the
run if it ended well for every seed; where it had no effect for some of them, their original stands for it, since leaving
those seeds out would show the method at its best only.
"""

import hashlib
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fairsal_core.classifiers import load_classifier, save_classifier
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.artifacts import artifact
from fairsal_core.experiments.config import ExperimentConfig, checked_settings, parse_config
from fairsal_core.experiments.mitigation_settings import MethodChoice
from fairsal_core.experiments.store import Run
from fairsal_core.faces import CELLS, CellCounts, FaceDataset, biased_subset, packing_key
from fairsal_core.files import read_json, write_json
from fairsal_core.mitigation import LabelledFaces, Mitigation, find_method, mitigate
from fairsal_core.progress import Progress

MITIGATION = "mitigation.json"
SAME_SALIENCY = (
    "thresholds"  # folder of classifiers whose saliency is the original's, so that nobody explains them again
)
OK, NO_EFFECT, FAILED = "ok", "no effect", "failed"
_CLASSIFIER = "classifier.safetensors"


@dataclass(frozen=True)
class MethodOutcome:
    """How a method ended for one seed.

    Attributes
    ----------
    variant, method : str
        Name in the tables, and of the method.
    seed : int
        Of the original it was applied to.
    outcome, reason : str
        "ok", "no effect" or "failed", and why.
    classifier : Path or None
        Weights of the new classifier; None unless it is ok.
    trace : list of dict
        The candidates of its search, judged on the validation faces.
    diagnostics : dict
        Numbers about it.
    seconds : float
        What it took when it was computed.
    """

    variant: str
    method: str
    seed: int
    outcome: str
    reason: str
    classifier: Path | None
    trace: list[dict[str, Any]]
    diagnostics: dict[str, float | None]
    seconds: float


def mitigation_split(config: ExperimentConfig, faces: FaceDataset, seed: int) -> FaceDataset:
    """Return the faces that methods learn from: of the train split, but none that the original of this seed was trained on.

    As many of each cell as `mitigation_faces` asks for, or as there are.

    Raises
    ------
    FairsalError
        If none is left.
    """
    train = faces.in_split("train")
    used = biased_subset(faces, config.target, config.confounder, config.counts, seed=seed).names
    rest = train.take(np.flatnonzero(~train.names.isin(used)))
    left = CellCounts.of(rest, config.target, config.confounder)
    wanted = max(1, config.mitigation_faces // len(CELLS))
    counts = CellCounts(**{field: min(count, wanted) for field, count in left.model_dump().items()})
    if not counts.total:
        raise FairsalError(
            "The biased subset uses every face of the train split, and mitigation needs others: scale the counts down."
        )
    return biased_subset(rest, config.target, config.confounder, counts, seed=seed)


def mitigation_of(parent: Run, methods: Sequence[str], faces: int | None = None) -> ExperimentConfig:
    """Return the experiment that is a finished one with mitigation methods added to it.

    It is a run of its own: the finished one's results never change. What that trained is reused.

    Parameters
    ----------
    parent : Run
        A finished experiment; methods it has stay.
    methods : sequence of str
        As `MethodChoice` reads them.
    faces : int, optional
        `mitigation_faces`; by default the parent's.

    Raises
    ------
    FairsalError
        If the parent is no finished experiment, or a method or setting does not exist.
    """
    if parent.kind != "experiment" or parent.status.state != "finished":
        raise FairsalError(
            f"{parent.id} is no finished experiment: it is {parent.status.state}, of kind {parent.kind}."
        )
    content = dict(parent.config)
    added = [checked_settings(MethodChoice, method) for method in methods]  # type: ignore[arg-type]
    earlier = parse_config(content).mitigation
    content["mitigation"] = [choice.model_dump(mode="json") for choice in dict.fromkeys((*earlier, *added))]
    return parse_config(content if faces is None else {**content, "mitigation_faces": faces})


def apply_method(
    config: ExperimentConfig,
    choice: MethodChoice,
    seed: int,
    weights: Path,
    fit: FaceDataset,
    validation: FaceDataset,
    device: torch.device,
    progress: Progress,
) -> MethodOutcome:
    """Apply a method to a stored classifier, or return what came of it before.

    Parameters
    ----------
    config : ExperimentConfig
        Target, confounder, architecture.
    choice : MethodChoice
        Method and settings.
    seed : int
        Of the classifier, and of the method.
    weights : Path
        The classifier's file.
    fit, validation : FaceDataset
        See `fairsal_core.mitigation.mitigate`.
    device, progress
        Where to compute, and how far it is.
    """

    def build(folder: Path) -> None:
        classifier = load_classifier(config.training.classifier, weights).to(device)
        learned, chosen_on = (_labelled(config, part) for part in (fit, validation))
        result = mitigate(classifier, choice.method, learned, chosen_on, choice.settings, seed=seed, progress=progress)
        if result.classifier is not None:
            save_classifier(result.classifier, folder / _CLASSIFIER)
        write_json(folder / "outcome.json", _as_json(result))

    key = {
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "classifier": config.training.classifier,
        "faces": packing_key(fit),
        "fit": fit.names.tolist(),
        "validation": validation.names.tolist(),
        "target": config.target,
        "confounder": config.confounder,
        "method": choice.model_dump(mode="json"),
        "seed": seed,
        "device": device.type,
    }
    folder = artifact("mitigated", key, build)
    content = read_json(folder / "outcome.json")
    classifier = folder / _CLASSIFIER
    return MethodOutcome(
        choice.name, choice.method, seed, classifier=classifier if classifier.is_file() else None, **content
    )


def shown_variants(outcomes: Sequence[MethodOutcome]) -> list[str]:
    """Return the names of the methods that are variants of the run: not failed for any seed, and ok for one at least."""
    ended: dict[str, set[str]] = {}
    for outcome in outcomes:
        ended.setdefault(outcome.variant, set()).add(outcome.outcome)
    return [variant for variant, ways in ended.items() if FAILED not in ways and OK in ways]


def classifier_of(outcome: MethodOutcome, original: Path) -> Path:
    """Return the weights that stand for a method in the tables: its own, or the original's where it had no effect."""
    return outcome.classifier or original


def store_classifiers(run: Path, outcomes: Sequence[MethodOutcome], originals: dict[int, Path]) -> None:
    """Copy the classifiers of the methods that are variants into the run directory."""
    shown = set(shown_variants(outcomes))
    for outcome in outcomes:
        if outcome.variant in shown:
            place = run / (SAME_SALIENCY if find_method(outcome.method).same_saliency else "weights")
            place.mkdir(exist_ok=True)
            source = classifier_of(outcome, originals[outcome.seed])
            shutil.copyfile(source, place / f"{outcome.variant}-seed{outcome.seed}.safetensors")


def write_outcomes(run: Path, outcomes: Sequence[MethodOutcome], counts: dict[str, Any]) -> None:
    """Write `mitigation.json`."""
    methods = [{name: value for name, value in asdict(each).items() if name != "classifier"} for each in outcomes]
    write_json(run / MITIGATION, {"faces": counts, "shown": shown_variants(outcomes), "methods": methods})


def read_outcomes(run: Path) -> list[MethodOutcome]:
    """Return how the methods of a run ended; none for a run without mitigation.

    Raises
    ------
    FairsalError
        If the file cannot be read.
    """
    try:
        content = read_json(run / MITIGATION)
        return [MethodOutcome(classifier=None, **entry) for entry in content["methods"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FairsalError(
            f"What became of mitigation in run {run.name} cannot be read ({str(error)[:120]})."
        ) from error


def _labelled(config: ExperimentConfig, faces: FaceDataset) -> LabelledFaces:
    return LabelledFaces(faces.images, faces.labels(config.target), faces.labels(config.confounder))


def _as_json(result: Mitigation) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "reason": result.reason,
        "trace": [dict(_finite(asdict(trial).items())) for trial in result.trace],
        "diagnostics": dict(_finite(result.diagnostics.items())),
        "seconds": round(result.seconds, 2),
    }


def _finite(items: Any) -> Iterator[tuple[str, Any]]:
    """Give pairs with None in the place of what is no finite number, which JSON has no word for."""
    for name, value in items:
        yield name, None if isinstance(value, float) and not math.isfinite(value) else value
