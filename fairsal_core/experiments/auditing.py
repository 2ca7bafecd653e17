"""An audit of predictions that somebody brings: the same tables as an experiment leaves, with nothing trained and no network."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairsal_core.errors import FairsalError
from fairsal_core.faces import (
    Cell,
    CellCounts,
    Counts,
    FaceDataset,
    Group,
    balanced_test,
    count_cells,
    equal_cells,
    group_labels,
    groups_of_faces,
    has_values,
    kept_counts,
    labels_digest,
    list_faces,
    only_groups,
    undecodable_files,
)
from fairsal_core.files import write_json, write_parquet
from fairsal_core.hashing import file_digest, hash_of
from fairsal_core.home import cache_folder
from fairsal_core.results import BROUGHT_COLUMNS, CLEAN, FEWEST, THRESHOLD, Brought, read_brought, results_table
from fairsal_core.runs import JobProgress, RunFiles
from fairsal_core.settings import ALL_SPLITS, ON_VALIDATION, AuditConfig
from fairsal_core.versions import stage_versions, versions

_DRAW_SEED = 0  # the test faces are those that experiments are judged on, where all of them have predictions
_FEWEST_TO_CHOOSE = 20  # validation faces a cell, to choose a threshold by
_NAMED = 8  # groups in a sentence


@dataclass(frozen=True)
class BroughtAudit:
    """Predictions, and the faces that they are judged on.

    Attributes
    ----------
    config : AuditConfig
        What was asked for.
    faces : FaceDataset
        The whole set, not packed.
    among : FaceDataset
        The same with the groups alone that have enough faces: those of another have no label of the protected attribute.
    brought : list of Brought
        What each table says.
    test : FaceDataset
        What all models are judged on: equal cells of the faces of which all of them say something.
    thresholds : dict
        Model -> the score above which it says yes; those that bring their decisions have none.
    notes : tuple of str
        What does not fit and how decisions are made, one sentence each.
    """

    config: AuditConfig
    faces: FaceDataset
    among: FaceDataset
    brought: list[Brought]
    test: FaceDataset
    thresholds: dict[str, float]
    notes: tuple[str, ...]

    @property
    def models(self) -> list[str]:
        return [model for one in self.brought for model in one.models]

    @property
    def pool(self) -> FaceDataset:
        """The faces that the test faces are drawn from, whether they have predictions or not."""
        return _pool(self.config, self.among)


@dataclass(frozen=True)
class Understood:
    """What an audit's tables say, for somebody to look at before it is made.

    Attributes
    ----------
    brought : list of Brought
        What each table says.
    test, natural : Counts
        Faces of each cell: judged on, and as many as there are.
    notes : tuple of str
        What does not fit and how decisions are made, one sentence each.
    """

    brought: list[Brought]
    test: Counts
    natural: Counts
    notes: tuple[str, ...]


def understand(config: AuditConfig, faces: FaceDataset) -> Understood:
    """Return what an audit would be made of; raises FairsalError as `plan_brought` does."""
    audit = plan_brought(config, faces)
    test, natural = (count_cells(part, config.target, config.confounder) for part in (audit.test, audit.pool))
    return Understood(audit.brought, test, natural, audit.notes)


def audit_brought(config: AuditConfig, run: Path, progress: JobProgress) -> None:
    """Audit predictions that somebody brings, and leave the tables in a run's directory; raises as `plan_brought` does."""
    progress.stage("faces", share=0.3)
    audit = plan_brought(config, _listed(config, progress))
    progress.stage("results", share=0.7)
    write_audit(audit, run)
    progress(1, 1, "Done")


def _listed(config: AuditConfig, progress: JobProgress) -> FaceDataset:
    """Return the faces of a set without a look into their files; those that are known not to decode are left out."""
    faces = list_faces(config.data, progress)
    broken = undecodable_files(faces, cache_folder())
    return faces.take(np.flatnonzero(~faces.names.isin(list(broken)))) if broken else faces


def plan_brought(config: AuditConfig, faces: FaceDataset) -> BroughtAudit:
    """Return predictions with the faces that they can be judged on.

    Raises
    ------
    FairsalError
        If an attribute does not exist, a table cannot be understood, or a cell has no face of which all models say something.
    """
    for attribute in (config.target, config.confounder):
        faces.labelled(attribute)  # one that does not exist is an error that names the nearest
    brought = read_brought(config, faces)
    predictions = _together(brought)
    covered, gaps = _covered(predictions, _pool(config, faces), config)
    groups, too_small = _large_groups(covered, config)
    among, covered = (only_groups(part, config.confounder, groups) for part in (faces, covered))
    try:
        test = balanced_test(covered, config.target, config.confounder, config.test_per_cell, seed=_DRAW_SEED)
    except FairsalError as error:
        raise _nothing_to_judge(config, len(covered), error) from error
    thresholds, told = _thresholds(config, among, predictions)
    notes = (*(note for one in brought for note in one.notes), *gaps, *too_small, *told)
    return BroughtAudit(config, faces, among, brought, test, thresholds, notes)


def _large_groups(covered: FaceDataset, config: AuditConfig) -> tuple[tuple[Group, ...], list[str]]:
    """Return the values of a protected attribute that have enough faces of either label, and a sentence on the others.

    Of one that is there or not both groups are judged, however few they are. Equal cells are as large as the rarest,
    so one value of a few faces would take the others' from the audit.
    """
    if not has_values(covered, config.confounder) or not len(covered):
        return groups_of_faces(covered, config.confounder)[1], []
    needed = max(FEWEST, config.test_per_cell or 0)
    counts = count_cells(covered, config.target, config.confounder)
    there = dict.fromkeys(str(cell.confounder) for cell, count in counts.items() if count)
    sizes = {name: min(counts[Cell(has, name)] for has in (True, False)) for name in there}
    kept = tuple(name for name, fewest in sizes.items() if fewest >= needed)
    if len(kept) < 2:
        raise FairsalError(
            f"Groups of {config.confounder} are judged on at least {needed} faces of either label of {config.target} among the "
            f"{_called(config)}, and {', '.join(kept) or 'none'} alone has them "
            f"({', '.join(f'{name} {count}' for name, count in list(sizes.items())[:_NAMED])})."
        )
    return kept, _told_of_sizes(config, sizes, kept, needed)


def _told_of_sizes(config: AuditConfig, sizes: Mapping[str, int], kept: Sequence[str], needed: int) -> list[str]:
    """Return which groups are left out, and which decides how many faces of each cell are judged, in sentences."""
    left_out = [f"{name} ({count})" for name, count in sizes.items() if name not in kept]
    are = "is" if len(left_out) == 1 else "are"
    named = ", ".join(left_out[:_NAMED]) + (f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else "")
    rarest = min(kept, key=lambda name: sizes[name])
    told = [
        f"Of {config.confounder}, {named} {are} left out: fewer than {needed} faces of one label of {config.target}."
    ]
    as_many = f"Cells are as large as the rarest, of {rarest}: {sizes[rarest]:,} faces; more faces a cell leave such groups out."
    return [*(told if left_out else []), *([] if config.test_per_cell else [as_many])]


def _together(brought: list[Brought]) -> pd.DataFrame:
    tables = [one.table for one in brought]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(BROUGHT_COLUMNS))


def _pool(config: AuditConfig, faces: FaceDataset) -> FaceDataset:
    """Return the faces to judge on as one split, the test split."""
    chosen = faces if config.test_split == ALL_SPLITS else faces.in_split(config.test_split)
    kinds = chosen.split.astype(object)
    kinds[:] = "test"
    return replace(chosen, split=kinds)


def faces_judged(config: AuditConfig, faces: FaceDataset) -> int:
    """Return how many faces there are to judge on at most, before a table says of which."""
    usable = _pool(config, faces.listed).with_label(config.target, config.confounder)
    groups, _ = _large_groups(usable, config)
    judged = only_groups(usable, config.confounder, groups)
    cells = len(count_cells(judged, config.target, config.confounder))
    return cells * equal_cells(judged, config.target, config.confounder, config.test_per_cell)


def _covered(predictions: pd.DataFrame, pool: FaceDataset, config: AuditConfig) -> tuple[FaceDataset, list[str]]:
    """Return the labelled faces of which every model says something, and a sentence for each model that leaves some out."""
    usable = pool.with_label(config.target, config.confounder)
    there = np.ones(len(usable), dtype=bool)
    told = []
    for model, part in predictions.groupby("model", sort=False):
        said = usable.names.isin(part["face"])
        missing = int((~said).sum())
        if missing:
            first = usable.names[np.flatnonzero(~said)[0]]
            told.append(
                f"{model} says nothing of {missing:,} of the {len(usable):,} {_called(config)} (such as {first}): left out."
            )
        there &= said
    return usable.take(np.flatnonzero(there)), told


def _called(config: AuditConfig) -> str:
    return "faces" if config.test_split == ALL_SPLITS else f"faces of the {config.test_split} split"


def _nothing_to_judge(config: AuditConfig, covered: int, error: FairsalError) -> FairsalError:
    elsewhere = (
        "" if config.test_split == ALL_SPLITS else " Other faces than those of a split are judged on with --split all."
    )
    if covered:
        scan = "Rates by any groups, of which some may have no faces, are told by Scan (`fairsal scan --predictions --groups`)."
        return FairsalError(f"{error}{elsewhere} {scan}")
    return FairsalError(f"None of the {_called(config)} has a prediction of every model.{elsewhere}")


def _thresholds(
    config: AuditConfig, faces: FaceDataset, predictions: pd.DataFrame
) -> tuple[dict[str, float], list[str]]:
    """Return the threshold of each model that gives scores alone, and how each model comes to decisions, in sentences."""
    found: dict[str, float] = {}
    told = []
    for model, part in predictions.groupby("model", sort=False):
        if part["decision"].notna().all():
            scores = "" if part["score"].notna().any() else "; it gives no scores, so 1 and 0 stand for them"
            told.append(f"{model}: decisions as they were given{scores}.")
            continue
        if config.threshold == ON_VALIDATION:
            found[str(model)], count = _chosen_threshold(config, faces, part)
            how = f", which gives the highest accuracy over equal cells of {count:,} faces of the other held-out split"
        else:
            found[str(model)], how = float(config.threshold), ""
        given = "where no decision is given, " if part["decision"].notna().any() else ""
        told.append(f"{model}: {given}yes above a score of {found[str(model)]:.3g}{how}.")
    return found, told


def _chosen_threshold(config: AuditConfig, faces: FaceDataset, part: pd.DataFrame) -> tuple[float, int]:
    """Return the threshold of the highest accuracy over equal cells of faces that are not tested on, and how many they are."""
    from fairsal_core.mitigation import cuts  # brings torch, which nothing else here needs

    split = "test" if config.test_split == "val" else "val"
    scored = part[part["score"].notna()]
    there = faces.in_split(split)
    known = there.take(np.flatnonzero(there.names.isin(scored["face"]))).with_label(config.target, config.confounder)
    per_cell = equal_cells(known, config.target, config.confounder)
    if per_cell < _FEWEST_TO_CHOOSE:
        raise FairsalError(
            f"A threshold for {part['model'].iloc[0]} is chosen on at least {_FEWEST_TO_CHOOSE} faces of each cell of the {split} "
            f"split, and {per_cell} have scores in the rarest: give it as a number, such as --threshold {THRESHOLD}."
        )
    chosen = balanced_test(known, config.target, config.confounder, per_cell, split=split, seed=_DRAW_SEED)
    scores = scored.set_index("face")["score"].reindex(chosen.names).to_numpy(dtype=float)
    candidates = cuts(scores)
    right = ((scores[None, :] > candidates[:, None]) == chosen.labels(config.target)).mean(axis=1)
    best = np.flatnonzero(right == right.max())
    nearest = best[np.abs(candidates[best] - THRESHOLD).argmin()]
    return float(candidates[nearest]), len(chosen)


def judged_models(audit: BroughtAudit) -> Iterator[pd.DataFrame]:
    """Give what each model says of the test faces, as `results_table` takes it."""
    config, test = audit.config, audit.test
    about = {
        "evaluation": CLEAN,
        "treated_by": "",
        "seed": config.seeds[0],
        "face": test.names,
        "target": test.labels(config.target),
        "confounder": group_labels(test, config.confounder),
    }
    together = _together(audit.brought)
    # Only where it says something else than "score above 0.5" do tables carry a column of decisions.
    decided = together["decision"].notna().any() or any(value != THRESHOLD for value in audit.thresholds.values())
    for model, part in together.groupby("model", sort=False):
        said = part.set_index("face").reindex(test.names)
        scores = said["score"].where(said["score"].notna(), said["decision"]).to_numpy(dtype=float)
        table = pd.DataFrame({"variant": str(model), **about, "score": scores.astype(np.float32)})
        if decided:
            above = (scores > audit.thresholds.get(str(model), THRESHOLD)).astype(float)
            given = said["decision"].to_numpy(dtype=float)
            table["decision"] = np.where(np.isfinite(given), given, above)
        yield table


def keep_brought(audit: BroughtAudit, files: RunFiles) -> str:
    """Copy into a run what was brought, and return its digest."""
    files.brought.mkdir(exist_ok=True)
    digests = {}
    for number, one in enumerate(audit.brought, start=1):
        kept = files.brought / f"{number}-{one.file.name}"
        shutil.copyfile(one.file, kept)
        digests[one.file.name] = file_digest(kept)
    return hash_of(digests)


def write_audit(audit: BroughtAudit, run: Path) -> None:
    """Write what an experiment leaves, of predictions: tables, counts, versions, and a copy of what was brought."""
    files, config = RunFiles(run), audit.config
    write_json(files.versions, {**versions(), **_provenance(audit), "predictions": keep_brought(audit, files)})
    write_json(files.subsets, describe_audit(audit))
    predictions = pd.concat(list(judged_models(audit)), ignore_index=True)
    write_parquet(files.predictions, predictions)
    write_parquet(files.results, results_table(predictions, config.target, config.confounder))


def _provenance(audit: BroughtAudit) -> dict[str, str]:
    attributes = (audit.config.target, audit.config.confounder)
    return {
        "device": audit.config.device,
        "stages": stage_versions(),
        "data": labels_digest(audit.faces, *attributes),
        "test faces": labels_digest(audit.test, *attributes),
    }


def _phi(audit: BroughtAudit) -> float | None:
    """Return the correlation of target and protected attribute among the faces; None for one of several values."""
    if has_values(audit.faces, audit.config.confounder):
        return None
    return round(CellCounts.of(audit.pool, audit.config.target, audit.config.confounder).phi, 4)


def describe_audit(audit: BroughtAudit) -> dict[str, Any]:
    """Return what `subsets.json` says: how many faces there are of each cell, what was brought, and what does not fit."""
    config, faces = audit.config, audit.faces

    def cells_of(part: FaceDataset) -> dict[str, int]:
        return kept_counts(count_cells(part, config.target, config.confounder))

    unlabelled = int((~faces.labelled(config.target, config.confounder)).sum())
    return {
        "faces": len(faces),
        **({"without_label": unlabelled} if unlabelled else {}),
        "notes": [*faces.notes, *audit.notes],
        "available": cells_of(audit.among.in_split("train")),
        "train": {},
        "test": cells_of(audit.test),
        "test_available": cells_of(audit.pool),
        "phi": _phi(audit),
        "brought": [
            {"file": one.file.name, "columns": dict(one.columns), "models": one.models, "predictions": len(one.table)}
            for one in audit.brought
        ],
        "thresholds": audit.thresholds,
    }
