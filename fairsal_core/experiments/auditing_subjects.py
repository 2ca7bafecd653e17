"""An audit of classifiers: what they say of test faces, clean and with the confounder's regions hidden, and where they look.

What an audit adds to an experiment's tables is the causal check: how many decisions change when the region is hidden, in each
group, beside how many change when as many pixels are hidden where the region map is lowest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fairsal_core.classifiers import Subject, decisions, has_thresholds
from fairsal_core.device import pick_device
from fairsal_core.errors import FairsalError
from fairsal_core.experiments.auditing import BroughtAudit, describe_audit, judged_models, keep_brought, plan_brought
from fairsal_core.experiments.data_audit import audit_faces_read
from fairsal_core.experiments.explaining import Explaining, RelevanceEngine, explaining_steps
from fairsal_core.experiments.maps import make_treatment, maps_stage
from fairsal_core.experiments.regions import find_regions, quality_stage
from fairsal_core.experiments.scoring import Engine, Hiding, scores_of
from fairsal_core.experiments.subjects import find_subjects
from fairsal_core.faces import (
    FaceDataset,
    Group,
    cell_name,
    cells_of,
    data_digest,
    flags_of,
    group_labels,
    groups_of_faces,
    load_faces,
    with_or_without,
)
from fairsal_core.files import write_json, write_parquet
from fairsal_core.hashing import hash_of
from fairsal_core.metrics import numbered
from fairsal_core.regions import pixel_maps
from fairsal_core.results import (
    CLEAN,
    ELSEWHERE,
    HIDDEN_COLUMNS,
    HIDDEN_FACES_COLUMNS,
    REGION,
    THRESHOLD,
    TREATED,
    changed_decisions,
    results_table,
)
from fairsal_core.runs import JobProgress, RunFiles, Step, run_steps
from fairsal_core.schemes import select_pixels
from fairsal_core.settings import SubjectAuditConfig
from fairsal_core.versions import stage_versions, versions

MAPPED_FACES, _FEWEST_MAPPED = 512, 64
_DRAW_SEED = 0


class Engines(NamedTuple):
    """What scores and what explains, where it is not this process."""

    score: Engine
    explain: RelevanceEngine


@dataclass
class _Work:
    """What the steps of an audit share, and what they have made so far."""

    plan: BroughtAudit
    config: SubjectAuditConfig
    subjects: list[Subject]
    files: RunFiles
    device: torch.device
    progress: JobProgress
    engines: Engines | None
    hidings: list[tuple[Hiding, Hiding]] = field(default_factory=list)
    tables: list[pd.DataFrame] = field(default_factory=list)
    changes: list[pd.DataFrame] = field(default_factory=list)
    hidden_faces: list[pd.DataFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def audit_subjects(config: Any, run: Path, progress: JobProgress, engines: Engines | None = None) -> None:
    """Audit the classifiers that a `SubjectAuditConfig` names; writes what an experiment leaves, and `hidden.parquet`.

    Faces are scored and explained by the `engines`, by default by this process.

    Raises
    ------
    FairsalError
        If there is no such subject, or the faces do not allow it.
    """
    assert isinstance(config, SubjectAuditConfig)
    subjects = find_subjects(config.subjects)
    device = pick_device(config.device)
    progress.stage("faces", share=0.05)
    plan = plan_brought(config, load_faces(config.data, progress))
    if doubled := set(plan.models) & {subject.name for subject in subjects}:
        raise FairsalError(f"'{doubled.pop()}' is both a classifier and a model in a table: rename the table.")
    work = _Work(plan, config, subjects, RunFiles(run), device, progress, engines)
    if engines is None:  # else the pictures are read elsewhere, and may be more than one machine should look at
        audit_faces_read(plan.test, config.data, config.target, config.confounder, work.files.data_audit, progress)
    scoring = [
        Step(f"scores of {each.name}", lambda: 1.0, partial(_score, work, each), ("scores",)) for each in subjects
    ]
    run_steps([Step("region map", lambda: 1.0, partial(_find_hidings, work), ("maps",)), *scoring], progress, share=0.6)
    if config.attention.explainers:
        run_steps(_explaining(work), progress, share=0.3)
    progress.stage("results", share=1.0)
    _write(work)
    progress(1, 1, "Done")


def _find_hidings(work: _Work) -> None:
    """Have what is hidden: the region of each scheme, and beside it as many pixels where the map is lowest."""
    config, faces = work.config, work.plan.faces
    if not config.schemes:
        return
    regions = find_regions(config, faces, work.device, work.progress)
    quality = quality_stage(regions, faces, config.regions).make(work.progress)
    write_json(work.files.region_quality, {"attribute": config.confounder, **quality.as_json()})
    if why := quality.withheld(config.confounder):
        work.notes.append(why)
    maps = maps_stage(regions, _mapped(faces, work.plan.test), config.measure).make(work.progress)
    np.save(work.files.mean_map, maps.mean)
    lowest = torch.from_numpy(-pixel_maps(maps.mean, regions.classifier)).to(work.device)
    for choice in config.schemes:
        treatment = make_treatment(choice, regions, maps, work.device)
        elsewhere = replace(treatment, selected=select_pixels(lowest, choice.quantile))
        key = {"maps": maps.key, "choice": choice.model_dump(mode="json")}
        work.hidings.append(
            (
                Hiding(choice.name, treatment, {**key, "where": REGION}),
                Hiding(choice.name, elsewhere, {**key, "where": ELSEWHERE}),
            )
        )


def _mapped(faces: FaceDataset, test: FaceDataset) -> FaceDataset:
    """Return the faces whose mean map says where the confounder is read off: none that is judged on, if there are enough others."""
    others = faces.take(np.flatnonzero(~faces.names.isin(test.names)))
    return (others if len(others) >= _FEWEST_MAPPED else faces).sample(MAPPED_FACES, _DRAW_SEED)


def _score(work: _Work, subject: Subject) -> None:
    """Have a subject's predictions, clean and hidden, and what hiding changed."""
    config, test = work.config, work.plan.test
    group, groups = groups_of_faces(test, config.confounder)
    cells = numbered(test.labels(config.target), group, len(groups))
    network = subject.load()  # which may decide by thresholds of its own
    about = {
        "variant": subject.name,
        "seed": subject.seed,
        "face": test.names,
        "target": test.labels(config.target),
        "confounder": group_labels(test, config.confounder),
    }

    def said(hiding: Hiding | None) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        engine = work.engines.score if work.engines else None
        scores = scores_of(subject, test, hiding, work.device, work.progress, engine)
        if has_thresholds(network):
            return scores, decisions(network, scores, flags_of(test, config.confounder))
        return scores, (scores > THRESHOLD).astype(np.float64)

    def keep(evaluation: str, treated_by: str, scores: NDArray[np.float32], yes: NDArray[np.float64]) -> None:
        table = pd.DataFrame({**about, "evaluation": evaluation, "treated_by": treated_by, "score": scores})
        work.tables.append(table.assign(decision=yes) if has_thresholds(network) else table)

    clean = said(None)
    keep(CLEAN, "", *clean)
    for region, elsewhere in work.hidings:
        hidden = said(region)
        keep(TREATED, region.name, *hidden)
        after = {REGION: hidden[1], ELSEWHERE: said(elsewhere)[1]}
        named = {"variant": subject.name, "scheme": region.name}
        work.changes.append(changed_decisions(clean[1], after, cells, _groups(config, groups)).assign(**named))
        of_faces = pd.DataFrame({"face": test.names, "target": about["target"], "before": clean[1], **after})
        work.hidden_faces.append(of_faces.assign(**named))


def _groups(config: SubjectAuditConfig, groups: Sequence[Group]) -> dict[str, Sequence[int]]:
    """Return what decisions are counted over: all, the groups of the confounder, and the cells."""
    cells = cells_of(groups)
    of_group = {
        with_or_without(config.confounder, group): [
            place for place, cell in enumerate(cells) if cell.confounder == group
        ]
        for group in groups
    }
    named = {cell_name(config.target, config.confounder, cell): (place,) for place, cell in enumerate(cells)}
    return {"all": range(len(cells)), **of_group, **named}


def _explaining(work: _Work) -> list[Step]:
    """Return the steps that explain; an explainer that does not fit a subject is said, and the others go on."""
    subjects = {subject.name: [subject] for subject in work.subjects}
    config = work.config
    explaining = replace(
        Explaining.of_subjects(config, config.attention, subjects, work.plan.test, work.files, work.device),
        engine=work.engines.explain if work.engines else None,
    )
    return [replace(step, do=partial(_tried, work, step)) for step in explaining_steps(explaining, work.progress)]


def _tried(work: _Work, step: Step) -> None:
    try:
        step.do()
    except FairsalError as error:
        work.notes.append(f"Nothing was done to {step.title}: {error}")


def _write(work: _Work) -> None:
    config, files, plan = work.config, work.files, work.plan
    # As the set has them: the plan calls every face that is judged on one of the test split.
    test = plan.faces.take(plan.faces.names.get_indexer(plan.test.names))
    digest = data_digest(test, config.target, config.confounder)
    write_json(
        files.versions,
        {
            **versions(),
            "device": work.device.type,
            "stages": stage_versions(),
            "data": digest,
            "test faces": digest,
            "predictions": keep_brought(plan, files) if plan.brought else "none",
            "subjects": hash_of([subject.digest for subject in work.subjects]),
        },
    )
    about = describe_audit(plan)
    write_json(
        files.subsets,
        {
            **about,
            "notes": [*about["notes"], *work.notes],
            "subjects": [
                {"name": each.name, "architecture": each.architecture, "digest": each.digest, "from": named}
                for each, named in zip(work.subjects, config.subjects, strict=True)
            ],
        },
    )
    predictions = pd.concat([*work.tables, *judged_models(plan)], ignore_index=True)
    write_parquet(files.predictions, predictions)
    if work.changes:
        write_parquet(files.hidden, pd.concat(work.changes, ignore_index=True)[list(HIDDEN_COLUMNS)])
        faces = pd.concat(work.hidden_faces, ignore_index=True)
        write_parquet(files.hidden_faces, faces[list(HIDDEN_FACES_COLUMNS)])
    write_parquet(files.results, results_table(predictions, config.target, config.confounder))
