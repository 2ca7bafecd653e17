"""The stage that applies a mitigation method to a subject, each result a variant like any other.

`mitigation.json` tells how each method ended for each seed, with the trace of its search. A method is a variant of the
run if it ended well for every seed; where it had no effect for some of them, their original stands for it, since leaving
those seeds out would show the method at its best only.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from fairsal_core.classifiers import CLASSIFIERS, Subject, save_classifier, stored_subject
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.scoring import said_of
from fairsal_core.faces import FaceDataset, data_digest
from fairsal_core.files import read_json, write_json
from fairsal_core.mitigation import METHODS, Given, LabelledFaces, Mitigation, know_features, mitigate, unmet
from fairsal_core.progress import Progress
from fairsal_core.results import MethodOutcome, shown_variants
from fairsal_core.runs import Run, RunFiles, Stage
from fairsal_core.settings import ORIGINAL, ExperimentConfig, MethodChoice, checked_settings, parse_config
from fairsal_core.versions import STAGES

_STAGE = "mitigated"
_CLASSIFIER, _OUTCOME = "classifier.safetensors", "outcome.json"


@dataclass(frozen=True)
class MitigationFaces:
    """What methods learn from, and what they choose on: two sets of faces that share none."""

    fit: FaceDataset
    validation: FaceDataset
    target: str
    confounder: str

    def labelled(self) -> tuple[LabelledFaces, LabelledFaces]:
        """Return the two sets as methods take them."""
        learned, chosen_on = (
            LabelledFaces(faces.images, faces.labels(self.target), faces.labels(self.confounder))
            for faces in (self.fit, self.validation)
        )
        return learned, chosen_on


def mitigated(
    subject: Subject, choice: MethodChoice, faces: MitigationFaces, device: torch.device, progress: Progress
) -> Mitigation:
    """Return how a method ended on a subject, whose seed is the method's too.

    What goes into its last layer is taken from what is kept of the subject, and kept, where the method learns from that.
    """
    network = subject.load().to(device)
    if choice.settings.on_features:
        for part in (faces.fit, faces.validation):
            features = said_of(subject, part, device=device).features
            if features is not None:
                know_features(network, part.images, features)
    learned, chosen_on = faces.labelled()
    return mitigate(network, choice.method, learned, chosen_on, choice.settings, seed=subject.seed, progress=progress)


def mitigation_stage(
    subject: Subject, choice: MethodChoice, faces: MitigationFaces, device: torch.device
) -> Stage[MethodOutcome]:
    """Return the stage that applies a method to a subject, whose seed is the method's too."""
    depends_on = {
        "subject": subject.digest,
        "fit": data_digest(faces.fit, faces.target, faces.confounder),
        "validation": data_digest(faces.validation, faces.target, faces.confounder),
        "target": faces.target,
        "confounder": faces.confounder,
        "method": choice.model_dump(mode="json"),
        "seed": subject.seed,
        "device": device.type,
        "extensions": [METHODS.origin(choice.method), CLASSIFIERS.origin(subject.architecture)],
    }

    def build(folder: Path, progress: Progress) -> None:
        result = mitigated(subject, choice, faces, device, progress)
        if result.classifier is not None:
            save_classifier(result.classifier, folder / _CLASSIFIER)
        write_json(folder / _OUTCOME, _as_json(result))

    def read(folder: Path) -> MethodOutcome:
        classifier = folder / _CLASSIFIER
        return MethodOutcome(
            choice.name,
            choice.method,
            subject.seed,
            classifier=classifier if classifier.is_file() else None,
            **read_json(folder / _OUTCOME),
        )

    return Stage(_STAGE, STAGES[_STAGE], depends_on, build, read)


def mitigation_of(parent: Run, methods: Sequence[str | MethodChoice], faces: int | None = None) -> ExperimentConfig:
    """Return the experiment that is a finished one with mitigation methods added to it.

    It is a run of its own: the finished one's results never change. What that trained is reused.

    Parameters
    ----------
    parent : Run
        A finished experiment; methods it has stay.
    methods : sequence of str or MethodChoice
        Choices, or as they are read from text.
    faces : int, optional
        `mitigation_faces`; by default the parent's.

    Raises
    ------
    FairsalError
        If the parent is no finished experiment, a method or setting does not exist, or a method needs what is not there.
    """
    if parent.kind != "experiment" or parent.status.state != "finished":
        raise FairsalError(
            f"{parent.id} is no finished experiment: it is {parent.status.state}, of kind {parent.kind}."
        )
    content = dict(parent.config)
    added = [checked_settings(MethodChoice, method) for method in methods]
    lacking = unmet_needs(parent)
    for choice in added:
        if missing := lacking.get(choice.method):
            raise FairsalError(f"{choice.method} needs {' and '.join(missing)}, and run {parent.id} has none to give.")
    earlier = parse_config(content).mitigation
    content["mitigation"] = [choice.model_dump(mode="json") for choice in dict.fromkeys((*earlier, *added))]
    return parse_config(content if faces is None else {**content, "mitigation_faces": faces})


def unmet_needs(run: Run) -> dict[str, list[str]]:
    """Return, for each method that cannot be applied to the classifiers of a finished experiment, what it lacks.

    The faces of an experiment say who has the confounder, those it predicts for too. Nothing is known to be lacking of a run that
    has no stored classifiers: they are made again.
    """
    config, files = parse_config(dict(run.config)), RunFiles(run.path)
    seed, name = config.seeds[0], config.reference_name(ORIGINAL, config.lengths[0])
    weights = files.weights(name, seed)
    if not weights.is_file():
        return {}
    given = Given(stored_subject(name, seed, config.training.classifier, weights))
    # Each need is looked at once: some take loading the classifier.
    lacking = unmet(dict.fromkeys(need for method in METHODS.values() for need in method.needs), given)
    missing = {name: [need for need in method.needs if need in lacking] for name, method in METHODS.items()}
    return {name: needs for name, needs in missing.items() if needs}


def classifier_of(outcome: MethodOutcome, original: Path) -> Path:
    """Return the weights that stand for a method in the tables: its own, or the original's where it had no effect."""
    return outcome.classifier or original


def store_classifiers(files: RunFiles, outcomes: Sequence[MethodOutcome], original: str) -> None:
    """Copy the classifiers of the methods that are variants into the run, where those of the `original` variant lie."""
    shown = set(shown_variants(outcomes))
    for outcome in outcomes:
        if outcome.variant in shown:
            place_of = files.same_saliency if METHODS.find(outcome.method).same_saliency else files.weights
            place = place_of(outcome.variant, outcome.seed)
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(classifier_of(outcome, files.weights(original, outcome.seed)), place)


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
