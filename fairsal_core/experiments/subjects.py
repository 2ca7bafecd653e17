"""Subjects by name: variants of finished runs, and classifiers that were imported."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fairsal_core.classifiers import Subject, imported_subject, stored_subject
from fairsal_core.errors import FairsalError, unknown_name
from fairsal_core.runs import RunFiles, checked, load_run, run_path
from fairsal_core.settings import EXPERIMENT, parse_config


def find_subjects(named: Sequence[str]) -> list[Subject]:
    """Return subjects by name, each under a name of its own, and as of one seed, so that they lie side by side.

    Raises
    ------
    FairsalError
        If there is no such run, variant or imported classifier.
    """
    found = [find_subject(each) for each in named]
    names = [subject.name for subject in found]
    return [
        replace(subject, name=subject.name if names.count(subject.name) == 1 else f"{subject.name} ({each})", seed=0)
        for subject, each in zip(found, named, strict=True)
    ]


def find_subject(named: str) -> Subject:
    """Return a subject: RUN:VARIANT or RUN:VARIANT#SEED of a finished experiment, or the name or digest of an imported one."""
    run, colon, rest = named.partition(":")
    return _of_run(run, *_seed_in(rest)) if colon else imported_subject(named)


def _seed_in(text: str) -> tuple[str, int | None]:
    variant, mark, seed = text.rpartition("#")
    return (variant, int(seed)) if mark and seed.isdecimal() else (text, None)


def _of_run(run_id: str, variant: str, seed: int | None) -> Subject:
    path = run_path(run_id)
    run = load_run(path)
    if run.kind != EXPERIMENT or run.status.state != "finished":
        raise FairsalError(f"{run_id} is no finished experiment: it is {run.status.state}, of kind {run.kind}.")
    config = parse_config(dict(run.config))
    chosen = config.seeds[0] if seed is None else seed
    weights = weights_of(path, variant, chosen)
    if weights is None:
        there = [name for name, at in stored_variants(path) if at == chosen]
        raise unknown_name(f"stored classifier of seed {chosen} in run {run_id}", variant, there)
    return stored_subject(variant, chosen, config.training.classifier, checked(path, weights))


def weights_of(run: Path, variant: str, seed: int) -> Path | None:
    """Return where a run keeps the classifier of a variant and seed; None where it keeps none."""
    files = RunFiles(run)
    places = (files.weights(variant, seed), files.same_saliency(variant, seed))
    return next((place for place in places if place.is_file()), None)


def stored_variants(run: Path) -> list[tuple[str, int]]:
    """Return the variants and seeds whose classifiers a run keeps, as their files are called."""
    files = RunFiles(run)
    found = [
        path for folder in (files.weights_folder, run / "thresholds") for path in sorted(folder.glob("*.safetensors"))
    ]
    parts = [path.stem.rpartition("-seed") for path in found]
    return [(variant, int(seed)) for variant, _, seed in parts if seed.isdecimal()]
