"""What explaining a finished run takes: by a moment of each explainer on one of its classifiers."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from fairsal_core.classifiers import Subject
from fairsal_core.costs.base import PICTURE, PROBED_FACES, RELEVANCE, Cost, Probed, ReadFaces, there_is
from fairsal_core.costs.networks import pace_of_explainer
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments import SANITY_FACES, find_subject, find_subjects, stored_variants
from fairsal_core.results import KEPT_FACES
from fairsal_core.runs import RunFiles, load_run, run_path
from fairsal_core.settings import ExperimentConfig, ExplainConfig, SubjectAuditConfig, checked_settings, run_settings


class ExplainPaces(NamedTuple):
    """Explainer -> faces a second of a classifier that it fits."""

    explained: Mapping[str, float]


def parse(content: Mapping[str, Any]) -> ExplainConfig:
    """Return the explanation that a run's config describes."""
    return checked_settings(ExplainConfig, dict(content))


def depends_on(config: ExplainConfig) -> Any:
    """Return what the paces of an explanation depend on."""
    return (config.run, [choice.model_dump(mode="json") for choice in config.explainers], config.device)


def probe(config: ExplainConfig, read: ReadFaces) -> ExplainPaces:
    """Explain a few faces of one of the run's classifiers by each explainer that fits it.

    Raises
    ------
    FairsalError
        If there is no such run, or it has no classifiers.
    """
    subjects, explained = _explained(config)
    few = read(explained.data).sample(PROBED_FACES)
    network = subjects[0].load().to(pick_device(config.device)).eval()
    paces = {}
    for choice in config.explainers:
        with suppress(FairsalError):  # it does not fit this classifier, which the run will say
            paces[choice.name] = pace_of_explainer(few, network, choice)
    return ExplainPaces(paces)


def cost(config: ExplainConfig, read: ReadFaces, probed: Probed[ExplainPaces]) -> Cost:
    """Return what an explanation takes at these paces, if all of the run's classifiers are explained."""
    count = len(_explained(config)[0])
    faces, paces = config.explained_faces, probed.paces.explained
    maps = len(paces) * (count * faces + count * min(faces, KEPT_FACES)) * RELEVANCE
    return Cost(
        {
            "starting": probed.started,
            **{f"explaining by {name}": count * faces / pace for name, pace in paces.items()},
            "explaining random weights": sum(min(SANITY_FACES, faces) / pace for pace in paces.values()),
        },
        {"program, networks and batches": probed.memory, "pictures": faces * PICTURE},
        there_is({"maps of attention": maps}),
    )


def _explained(config: ExplainConfig) -> tuple[list[Subject], ExperimentConfig | SubjectAuditConfig]:
    """Return the classifiers of the run and the run's settings."""
    run = load_run(run_path(config.run))
    settings = run_settings(run.kind, run.config)
    if isinstance(settings, SubjectAuditConfig):
        return find_subjects(settings.subjects), settings
    if not isinstance(settings, ExperimentConfig):
        raise FairsalError(f"{config.run} is an audit of predictions alone: there is no network to explain.")
    files = RunFiles(run.path)
    # A threshold has the maps of the classifier that it is of.
    stored = [pair for pair in stored_variants(run.path) if files.weights(*pair).is_file()]
    if not stored:
        raise FairsalError(f"Run {config.run} has no stored classifiers to explain.")
    return [find_subject(f"{config.run}:{variant}#{seed}") for variant, seed in stored], settings
